// A tile of queries, its shared memory and who owns what: for score_tile.cuh, chains along d, and
// value_tile.cuh, chains along the keys. 128 threads; a thread owns 8 x 8 scores or 8 x 4 sums, so
// that an FFMA needs 1/16 or 3/32 of a 16-byte read of shared memory.
//
//   roles    lanes stand 4 x 8: a thread's rows are lane / 8 + 4 i, its keys 32 apart; four lanes
//            share a key's read, eight share a row's
//   memory   tiles in binary32, d fastest; the next one waits in registers, 16 bytes a load, while
//            this one is computed. 20 words a row of 16: eight rows side by side meet all banks
#pragma once

#include "kernels/attention/key_blocks.cuh"

namespace touchstone::kernels::attention {

constexpr int kTileThreads = 128;
constexpr int kTileRows = 32;     // queries, each of one head
constexpr int kScoreKeys = 256;   // a tile of scores
constexpr int kSlab = 16;         // of d
constexpr int kColumns = 128;     // d of the values
constexpr int kValueRows = 32;    // keys of a tile of values
constexpr int kScorePitch = 520;  // 8 more than a block: a thread's 4 x 8 lanes meet all banks

struct TileShared {
  struct Slab {
    float4 q[kTileRows][kSlab / 4 + 1];
    float4 key[kScoreKeys][kSlab / 4 + 1];
  };
  union {
    Slab slab;
    float4 value[kValueRows][kColumns / 4];
  };
  float4 s[kTileRows][kScorePitch / 4];  // scores, then weights
  float a[kTileRows], c[kTileRows], l[kTileRows];
  bool visible[kTileRows], first[kTileRows];  // in this block

  __device__ __forceinline__ float* Scores(int row) { return &s[row][0].x; }
};

// What the running thread owns.
__device__ __forceinline__ int TileRow(int i) { return threadIdx.x % 32 / 8 + 4 * i; }
__device__ __forceinline__ int TileColumn() {  // of 32
  return static_cast<int>(threadIdx.x / 32 * 8 + threadIdx.x % 8);
}

// The keys, or the values, of a block, for one key head: row j is the key at base + j step.
template <typename Storage>
struct BlockRows {
  const Storage* base;
  int64_t step;
  int count;  // the rows that exist

  // The chunk of row j that begins at d, zeros past D; of a row that does not exist, zeros.
  __device__ __forceinline__ uint4 Fetched(int j, int64_t d, int64_t D, bool wide) const {
    return std::bit_cast<uint4>(LoadChunk(base + j * step + d, j < count ? D - d : 0, wide));
  }
};

template <typename Storage>
__device__ __forceinline__ void StoreWidened(uint4 chunk, float4* to) {
  float value[kChunk<Storage>];
  WidenChunk<Storage>(chunk, value);
#pragma unroll
  for (int i = 0; i < kChunk<Storage>; i += 4) {
    to[i / 4] = make_float4(value[i], value[i + 1], value[i + 2], value[i + 3]);
  }
}

}  // namespace touchstone::kernels::attention
