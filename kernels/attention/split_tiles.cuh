// The tiles of split attention in shared memory, and what a thread does with one.
#pragma once

#include "kernels/attention/key_blocks.cuh"
#include "kernels/ptx/cp_async.cuh"

namespace touchstone::kernels::attention {

constexpr int kWorkers = 128;  // a key or a d each
constexpr int kSplitWarps = kWorkers / simt::kWarpSize + 1;
constexpr int kSplitThreads = kSplitWarps * simt::kWarpSize;
constexpr int kStages = 3;
constexpr int kKeyChunks = 8;  // of a key in a tile

template <typename Storage>
constexpr int kDepth = kKeyChunks* kChunk<Storage>;  // d of a tile of keys
template <typename Storage>
constexpr int kValueKeys = 16384 / sizeof(Storage) / kWorkers;  // keys of a tile of values

template <typename Storage, int kHeads>
struct SplitShared {
  union Tile {
    Chunk<Storage> key[kWorkers][kKeyChunks + 1];  // one more: eight keys meet all banks
    Storage value[kValueKeys<Storage>][kWorkers];
  };
  Tile tile[kStages];
  alignas(16) float q[kStages][kHeads][kDepth<Storage>];
  alignas(16) float s[kHeads][kBlock + 4];  // scores, then weights
};

// Values d ... of a row that has D, zeros past it.
template <typename Storage>
__device__ __forceinline__ void CopyChunk(const Storage* row, int64_t d, int64_t D, bool wide,
                                          Storage* to) {
  if (wide) {
    ptx::CpAsync16(to, d < D ? row + d : row, d < D ? 16 : 0);
    return;
  }
  for (int i = 0; i < kChunk<Storage>; ++i) to[i] = d + i < D ? row[d + i] : Storage{};
}

__device__ __forceinline__ float At(const float4& quad, int i) {
  return i == 0 ? quad.x : i == 1 ? quad.y : i == 2 ? quad.z : quad.w;
}

// sum[h] goes on along d by the running thread's key.
template <typename Storage, int kHeads>
__device__ __forceinline__ void ScoreTile(const Chunk<Storage>* row,
                                          const float (&query)[kHeads][kDepth<Storage>],
                                          float (&sum)[kHeads]) {
#pragma unroll
  for (int c = 0; c < kKeyChunks; ++c) {
    float key[kChunk<Storage>];
    WidenChunk<Storage>(std::bit_cast<uint4>(row[c]), key);
#pragma unroll
    for (int i = 0; i < kChunk<Storage>; i += 4) {
      float4 quad[kHeads];
#pragma unroll
      for (int h = 0; h < kHeads; ++h) {
        quad[h] = *reinterpret_cast<const float4*>(&query[h][c * kChunk<Storage> + i]);
      }
#pragma unroll
      for (int h = 0; h < kHeads; ++h) sum[h] = fmaf(quad[h].x, key[i], sum[h]);
#pragma unroll
      for (int h = 0; h < kHeads; ++h) sum[h] = fmaf(quad[h].y, key[i + 1], sum[h]);
#pragma unroll
      for (int h = 0; h < kHeads; ++h) sum[h] = fmaf(quad[h].z, key[i + 2], sum[h]);
#pragma unroll
      for (int h = 0; h < kHeads; ++h) sum[h] = fmaf(quad[h].w, key[i + 3], sum[h]);
    }
  }
}

// o[h] goes on along `count` keys, of which j0 is the first, by the running thread's d.
template <typename Storage, int kHeads>
__device__ __forceinline__ void ValueTile(const Storage (&value)[kValueKeys<Storage>][kWorkers],
                                          const float (&p)[kHeads][kBlock + 4], int j0, int count,
                                          float (&o)[kHeads]) {
  const int thread = threadIdx.x;
  int j = 0;
#pragma unroll 2
  for (; j + 4 <= count; j += 4) {
    float4 weight[kHeads];
#pragma unroll
    for (int h = 0; h < kHeads; ++h) {
      weight[h] = *reinterpret_cast<const float4*>(&p[h][j0 + j]);
    }
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      const float v = Widen(value[j + i][thread]);
#pragma unroll
      for (int h = 0; h < kHeads; ++h) {
        o[h] = fmaf(At(weight[h], i), v, o[h]);
      }
    }
  }
  for (; j < count; ++j) {
    const float v = Widen(value[j][thread]);
#pragma unroll
    for (int h = 0; h < kHeads; ++h) o[h] = fmaf(p[h][j0 + j], v, o[h]);
  }
}

}  // namespace touchstone::kernels::attention
