// The scores of a tile of queries: chains along d (N3), 8 x 8 of them a thread (query_tile.cuh).
#pragma once

#include "kernels/attention/query_tile.cuh"
#include "reference/arithmetic/chain.h"

namespace touchstone::kernels::attention {

// 16 of d for all scores of the thread, ascending.
__device__ __forceinline__ void ScoreSlab(const TileShared::Slab& slab, float (&sum)[8][8]) {
  const int row = TileRow(0), column = TileColumn();
#pragma unroll 1
  for (int quad = 0; quad < kSlab / 4; ++quad) {
    float4 q[8];
#pragma unroll
    for (int i = 0; i < 8; ++i) q[i] = slab.q[row + 4 * i][quad];
#pragma unroll
    for (int j = 0; j < 8; ++j) {
      const float4 key = slab.key[column + 32 * j][quad];
#pragma unroll
      for (int i = 0; i < 8; ++i) sum[i][j] = fmaf(q[i].x, key.x, sum[i][j]);
#pragma unroll
      for (int i = 0; i < 8; ++i) sum[i][j] = fmaf(q[i].y, key.y, sum[i][j]);
#pragma unroll
      for (int i = 0; i < 8; ++i) sum[i][j] = fmaf(q[i].z, key.z, sum[i][j]);
#pragma unroll
      for (int i = 0; i < 8; ++i) sum[i][j] = fmaf(q[i].w, key.w, sum[i][j]);
    }
  }
}

// The scores of all rows with keys j0 ... j0 + 255 of the block; those of keys that do not exist
// mean nothing. query is the row of q that this thread copies, of those that do. Past D a query is
// -0 and a key +0, whose product leaves every sum as it is.
template <typename Storage>
__device__ __forceinline__ void ScoreTile(const Storage* query, const BlockRows<Storage>& keys,
                                          int j0, int64_t D, float scale, bool wide,
                                          TileShared& shared) {
  constexpr int kRowChunks = kSlab / kChunk<Storage>, kCount = kScoreKeys * kRowChunks / 128;
  constexpr int kSliceSlabs = kSliceLength / kSlab;
  const int thread = threadIdx.x, first = thread / kRowChunks, chunk = thread % kRowChunks;
  const int slabs = static_cast<int>((D + kSlab - 1) / kSlab);
  const bool copies_query = first < kTileRows;

  uint4 key[kCount], q = make_uint4(0, 0, 0, 0);
  const auto fetch = [&](int slab) {
    const int64_t d = int64_t{slab} * kSlab + chunk * kChunk<Storage>;
#pragma unroll
    for (int i = 0; i < kCount; ++i) {
      key[i] = keys.Fetched(j0 + first + i * (128 / kRowChunks), d, D, wide);
    }
    if (copies_query) q = std::bit_cast<uint4>(LoadChunk(query + d, D - d, wide));
  };
  fetch(0);

  float sum[8][8];
#pragma unroll 1
  for (int slab = 0; slab < slabs; ++slab) {
    __syncthreads();  // the tile before this one is read
#pragma unroll
    for (int i = 0; i < kCount; ++i) {
      StoreWidened<Storage>(
          key[i], &shared.slab.key[first + i * (128 / kRowChunks)][chunk * (kChunk<Storage> / 4)]);
    }
    if (copies_query) {
      float4* to = &shared.slab.q[first][chunk * (kChunk<Storage> / 4)];
      StoreWidened<Storage>(q, to);
      const int64_t left = D - int64_t{slab} * kSlab - chunk * kChunk<Storage>;
      for (int i = left < 0 ? 0 : static_cast<int>(left); i < kChunk<Storage>; ++i) {
        reinterpret_cast<float*>(to)[i] = -0.0f;
      }
    }
    __syncthreads();
    if (slab + 1 < slabs) fetch(slab + 1);

    if (slab % kSliceSlabs == 0) {
#pragma unroll
      for (int i = 0; i < 64; ++i) sum[i / 8][i % 8] = 0.0f;
    }
    ScoreSlab(shared.slab, sum);
    const bool last = slab == slabs - 1;
    if (!last && (slab + 1) % kSliceSlabs != 0) continue;
      // The total of the slices waits in the place of the score.
#pragma unroll
    for (int i = 0; i < 8; ++i) {
      float* scores = shared.Scores(TileRow(i)) + j0 + TileColumn();
      if (slab >= kSliceSlabs) {
#pragma unroll
        for (int j = 0; j < 8; ++j) sum[i][j] = scores[32 * j] + sum[i][j];
      }
#pragma unroll
      for (int j = 0; j < 8; ++j) scores[32 * j] = last ? sum[i][j] * scale : sum[i][j];
    }
  }
}

}  // namespace touchstone::kernels::attention
