// Expert linear in tiles of an expert's rows x 128 outputs, a block of 128 threads a tile, whose
// sums stay in registers: parts/chain_tiles.cuh.
// architectures: 80 90 100
//
//   tiles    128 rows, or 64 or 32 where the experts have no more on the average; a block finds its
//            expert and rows among the offsets (parts/ragged_tiles.cuh); tiles of one expert run
//            side by side and share its rows of weight
#include "kernels/expert_linear/register_tiles.h"

#include "kernels/parts/chain_tiles.cuh"
#include "kernels/parts/dense.h"
#include "kernels/parts/ragged_tiles.cuh"

namespace touchstone::kernels::expert_linear {
namespace {

template <typename Storage, int kThreadRows>
__global__ void __launch_bounds__(kChainThreads, 2)
    ExpertTile(const Storage* x, const Storage* weight, const int64_t* offsets, int64_t R,
               int64_t E, int64_t F, int64_t C, bool wide, Storage* y) {
  const RaggedTile tile = FindRaggedTile(offsets, E, R, blockIdx.x, 8 * kThreadRows);
  const int64_t f0 = int64_t{blockIdx.y} * kTileColumns;
  if (tile.rows == 0 || f0 >= F) return;  // the whole block
  const int columns = static_cast<int>(std::min<int64_t>(F - f0, kTileColumns));
  const Storage* x_tile = x + tile.row * C;
  const Storage* weight_tile = weight + (tile.group * F + f0) * C;
  Storage* y_tile = y + tile.row * F + f0;

  float sum[kThreadRows][kThreadColumns];
  ChainTile<Storage, kThreadRows>(
      tile.rows, columns, C, wide, [&](int row) { return x_tile + row * C; },
      [&](int column) { return weight_tile + column * C; }, sum);

#pragma unroll
  for (int i = 0; i < kThreadRows; ++i) {
    const int row = ChainRow<kThreadRows>(i);
#pragma unroll
    for (int j = 0; j < kThreadColumns; ++j) {
      const int column = ChainColumn(j);
      if (row < tile.rows && column < columns)
        y_tile[row * F + column] = Narrow<Storage>(sum[i][j]);
    }
  }
}

template <int kThreadRows, typename Storage>
void LaunchTiles(const Storage* x, const Storage* weight, const int64_t* offsets, int64_t R,
                 int64_t E, int64_t F, int64_t C, Storage* y) {
  // At least one block, which looks at the offsets.
  const int64_t tiles = std::max<int64_t>(1, RaggedTiles(R, E, 8 * kThreadRows));
  const int64_t columns = std::max<int64_t>(1, F);
  simt::Launch({.grid = dim3(simt::BlocksFor(tiles, 1), simt::BlocksFor(columns, kTileColumns)),
                .block = dim3(kChainThreads),
                .dynamic_shared = ChainTileSharedBytes<Storage, kThreadRows>(C)},
               ExpertTile<Storage, kThreadRows>, x, weight, offsets, R, E, F, C,
               ChainIsWide(x, weight, C), y);
}

template <typename Storage>
void Run(View<const Storage, 'R', 'C'> x, View<const Storage, 'E', 'F', 'C'> weight,
         View<const int64_t, 'O'> offsets, View<Storage, 'R', 'F'> y) {
  const int64_t R = Extent<'R'>(x, y), E = Extent<'E'>(weight);
  const int64_t C = Extent<'C'>(x, weight), F = Extent<'F'>(weight, y);
  TOUCHSTONE_REQUIRE(Extent<'O'>(offsets) == E + 1);
  const auto launch = R > 64 * E   ? LaunchTiles<16, Storage>
                      : R > 32 * E ? LaunchTiles<8, Storage>
                                   : LaunchTiles<4, Storage>;
  launch(Dense(x), Dense(weight), Dense(offsets), R, E, F, C, Dense(y));
}

}  // namespace

void register_tiles(View<const float, 'R', 'C'> x, View<const float, 'E', 'F', 'C'> weight,
                    View<const int64_t, 'O'> offsets, View<float, 'R', 'F'> y, int) {
  Run(x, weight, offsets, y);
}
void register_tiles(View<const Bf16, 'R', 'C'> x, View<const Bf16, 'E', 'F', 'C'> weight,
                    View<const int64_t, 'O'> offsets, View<Bf16, 'R', 'F'> y, int) {
  Run(x, weight, offsets, y);
}

}  // namespace touchstone::kernels::expert_linear
