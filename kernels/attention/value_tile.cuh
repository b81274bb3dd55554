// The weighted sums of values of a tile of queries: chains along the keys, 8 x 4 of them a thread
// (query_tile.cuh).
#pragma once

#include "kernels/attention/query_tile.cuh"

namespace touchstone::kernels::attention {

// Calls add(j0) for every tile of 32 keys j0 ... of the block that meets [low, high), ascending,
// with the values' columns d0 ... d0 + 127 in shared.value.
template <typename Storage, typename Add>
__device__ __forceinline__ void ValueTiles(const BlockRows<Storage>& values, int low, int high,
                                           int64_t d0, int64_t D, bool wide, TileShared& shared,
                                           const Add& add) {
  constexpr int kRowChunks = kColumns / kChunk<Storage>, kCount = kValueRows * kRowChunks / 128;
  const int first = threadIdx.x / kRowChunks, chunk = threadIdx.x % kRowChunks;
  const int64_t d = d0 + chunk * kChunk<Storage>;

  uint4 value[kCount];
  const auto fetch = [&](int j0) {
#pragma unroll
    for (int i = 0; i < kCount; ++i) {
      value[i] = values.Fetched(j0 + first + i * (128 / kRowChunks), d, D, wide);
    }
  };
  int j0 = low / kValueRows * kValueRows;
  fetch(j0);
#pragma unroll 1
  for (; j0 < high; j0 += kValueRows) {
    __syncthreads();  // the tile before this one is read
#pragma unroll
    for (int i = 0; i < kCount; ++i) {
      StoreWidened<Storage>(
          value[i], &shared.value[first + i * (128 / kRowChunks)][chunk * (kChunk<Storage> / 4)]);
    }
    __syncthreads();
    if (j0 + kValueRows < high) fetch(j0 + kValueRows);
    add(j0);
  }
}

// Component i of four.
__device__ __forceinline__ float Component(const float4& quad, int i) {
  return i == 0 ? quad.x : i == 1 ? quad.y : i == 2 ? quad.z : quad.w;
}

// o[i] and l go on along the 32 keys of shared.value, which are j0 ... of the block and all visible
// to all rows. l is that of row `own`.
__device__ __forceinline__ void ValueTile(TileShared& shared, int j0, int own, float (&o)[8][4],
                                          float& l) {
#pragma unroll 1
  for (int j = 0; j < kValueRows; j += 4) {
    float4 p[8];
#pragma unroll
    for (int i = 0; i < 8; ++i) p[i] = shared.s[TileRow(i)][(j0 + j) / 4];
    const float4 mine = shared.s[own][(j0 + j) / 4];
#pragma unroll
    for (int step = 0; step < 4; ++step) {
      const float4 v = shared.value[j + step][TileColumn()];
#pragma unroll
      for (int i = 0; i < 8; ++i) {
        const float weight = Component(p[i], step);
        o[i][0] = fmaf(weight, v.x, o[i][0]);
        o[i][1] = fmaf(weight, v.y, o[i][1]);
        o[i][2] = fmaf(weight, v.z, o[i][2]);
        o[i][3] = fmaf(weight, v.w, o[i][3]);
      }
      l = l + Component(mine, step);
    }
  }
}

// The same where rows see different keys: that of lane r sees [low, high).
__device__ __forceinline__ void MaskedValueTile(TileShared& shared, int j0, int own, int low,
                                                int high, float (&o)[8][4], float& l) {
#pragma unroll
  for (int i = 0; i < 8; ++i) {
    const int row = TileRow(i);
    const int begin = std::max(__shfl_sync(simt::kWholeWarp, low, row), j0);
    const int end = std::min(__shfl_sync(simt::kWholeWarp, high, row), j0 + kValueRows);
#pragma unroll 1
    for (int j = begin; j < end; ++j) {
      const float weight = shared.Scores(row)[j];
      const float4 v = shared.value[j - j0][TileColumn()];
      o[i][0] = fmaf(weight, v.x, o[i][0]);
      o[i][1] = fmaf(weight, v.y, o[i][1]);
      o[i][2] = fmaf(weight, v.z, o[i][2]);
      o[i][3] = fmaf(weight, v.w, o[i][3]);
    }
  }
  const int begin = std::max(__shfl_sync(simt::kWholeWarp, low, own), j0);
  const int end = std::min(__shfl_sync(simt::kWholeWarp, high, own), j0 + kValueRows);
#pragma unroll 1
  for (int j = begin; j < end; ++j) l = l + shared.Scores(own)[j];
}

}  // namespace touchstone::kernels::attention
