// y = RN(x weight^T) in tiles of chains, for dense matrices: what op linear and op logits share.
//
//   tiles    128, 64 or 32 tokens x 128 outputs a block, by T; blocks that run side by side share
//            the rows of weight
//   out      RN to Storage, then stored as Out: as it is, or widened
#pragma once

#include "kernels/parts/chain_tiles.cuh"

namespace touchstone::kernels {

template <typename Storage, typename Out, int kThreadRows>
__global__ void __launch_bounds__(kChainThreads, 2)
    LinearTile(const Storage* x, const Storage* weight, int64_t T, int64_t F, int64_t C, bool wide,
               Out* y) {
  const int64_t t0 = int64_t{blockIdx.x} * (8 * kThreadRows);
  const int64_t f0 = int64_t{blockIdx.y} * kTileColumns;
  const int rows = static_cast<int>(std::min<int64_t>(T - t0, 8 * kThreadRows));
  const int columns = static_cast<int>(std::min<int64_t>(F - f0, kTileColumns));

  float sum[kThreadRows][kThreadColumns];
  ChainTile<Storage, kThreadRows>(
      rows, columns, C, wide, [&](int row) { return x + (t0 + row) * C; },
      [&](int column) { return weight + (f0 + column) * C; }, sum);

#pragma unroll
  for (int i = 0; i < kThreadRows; ++i) {
    const int row = ChainRow<kThreadRows>(i);
#pragma unroll
    for (int j = 0; j < kThreadColumns; ++j) {
      const int column = ChainColumn(j);
      if (row < rows && column < columns) {
        y[(t0 + row) * F + f0 + column] = Narrow<Out>(RoundTo<Storage>(sum[i][j]));
      }
    }
  }
}

template <int kThreadRows, typename Storage, typename Out>
void LaunchLinearTiles(const Storage* x, const Storage* weight, int64_t T, int64_t F, int64_t C,
                       Out* y) {
  if (T == 0 || F == 0) return;
  simt::Launch({.grid = dim3(simt::BlocksFor(T, 8 * kThreadRows), simt::BlocksFor(F, kTileColumns)),
                .block = dim3(kChainThreads),
                .dynamic_shared = ChainTileSharedBytes<Storage, kThreadRows>(C)},
               LinearTile<Storage, Out, kThreadRows>, x, weight, T, F, C, ChainIsWide(x, weight, C),
               y);
}

// x (T, C), weight (F, C) and y (T, F), each dense.
template <typename Storage, typename Out>
void LinearTiles(const Storage* x, const Storage* weight, int64_t T, int64_t F, int64_t C, Out* y) {
  // Large tiles read shared memory least for a product; small ones keep more processors busy.
  const auto launch = T > 384  ? LaunchLinearTiles<16, Storage, Out>
                      : T > 96 ? LaunchLinearTiles<8, Storage, Out>
                               : LaunchLinearTiles<4, Storage, Out>;
  launch(x, weight, T, F, C, y);
}

}  // namespace touchstone::kernels
