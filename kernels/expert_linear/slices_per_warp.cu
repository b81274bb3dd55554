// Expert linear for few rows an expert: the slices of a chain lie in different lanes and warps, and
// each weight is read once for up to 8 rows: parts/linear_slices.cuh.
// architectures: 80 90 100
//
//   tiles    1, 2, 4 or 8 rows of an expert, by the average; a block finds its expert and rows
//            among the offsets (parts/ragged_tiles.cuh). Experts without rows are not read
#include "kernels/expert_linear/slices_per_warp.h"

#include "kernels/parts/dense.h"
#include "kernels/parts/linear_slices.cuh"
#include "kernels/parts/ragged_tiles.cuh"

namespace touchstone::kernels::expert_linear {
namespace {

// Shared memory admits two blocks of 8 rows to a processor.
template <typename S>
[[maybe_unused]] constexpr int kBlocks = S::kTokens == 8 ? 2 : 4;

template <typename S, typename Storage>
__global__ void __launch_bounds__(32 * S::kMaxWarps, kBlocks<S>)
    ExpertSlice(const Storage* x, const Storage* weight, const int64_t* offsets, unsigned tiles,
                int64_t R, int64_t E, int64_t F, int64_t C, bool wide, Storage* y) {
  // Tiles of one expert run side by side and share its rows of weight.
  const RaggedTile& tile = ShareRaggedTile(offsets, E, R, blockIdx.x % tiles, S::kTokens);
  const int64_t f0 = int64_t{blockIdx.x / tiles} * S::kWarpRows;
  if (tile.rows == 0 || f0 >= F) return;  // the whole block
  const int rows = static_cast<int>(std::min<int64_t>(F - f0, S::kWarpRows));
  const Storage* weight_tile = weight + (tile.group * F + f0) * C;
  const auto& total = SliceTile<S>(x + tile.row * C, tile.rows, rows, C, wide,
                                   [&](int row) { return weight_tile + row * C; });
  for (int i = threadIdx.x; i < S::kTokens * S::kWarpRows; i += blockDim.x) {
    const int r = i / S::kWarpRows, row = i % S::kWarpRows;
    if (r < tile.rows && row < rows) {
      y[(tile.row + r) * F + f0 + row] = Narrow<Storage>(total[r][row]);
    }
  }
}

template <typename S, typename Storage>
void LaunchSlices(const Storage* x, const Storage* weight, const int64_t* offsets, int64_t R,
                  int64_t E, int64_t F, int64_t C, Storage* y) {
  // At least one block, which looks at the offsets.
  const unsigned tiles = std::max(1u, simt::BlocksFor(RaggedTiles(R, E, S::kTokens), 1));
  const unsigned blocks = tiles * std::max(1u, simt::BlocksFor(F, S::kWarpRows));
  simt::Launch(SliceLaunch<S>(blocks, C), ExpertSlice<S, Storage>, x, weight, offsets, tiles, R, E,
               F, C, ChainIsWide(x, weight, C), y);
}

template <typename Storage>
void Run(View<const Storage, 'R', 'C'> x, View<const Storage, 'E', 'F', 'C'> weight,
         View<const int64_t, 'O'> offsets, View<Storage, 'R', 'F'> y) {
  const int64_t R = Extent<'R'>(x, y), E = Extent<'E'>(weight);
  const int64_t C = Extent<'C'>(x, weight), F = Extent<'F'>(weight, y);
  TOUCHSTONE_REQUIRE(Extent<'O'>(offsets) == E + 1);
  const auto launch = R <= 1       ? LaunchSlices<Slices<Storage, 1, 1, 128, 3>, Storage>
                      : R <= E     ? LaunchSlices<Slices<Storage, 2, 1, 128, 3>, Storage>
                      : R <= 3 * E ? LaunchSlices<Slices<Storage, 4, 2, 64, 3>, Storage>
                                   : LaunchSlices<Slices<Storage, 8, 4, 64, 2>, Storage>;
  launch(Dense(x), Dense(weight), Dense(offsets), R, E, F, C, Dense(y));
}

}  // namespace

void slices_per_warp(View<const float, 'R', 'C'> x, View<const float, 'E', 'F', 'C'> weight,
                     View<const int64_t, 'O'> offsets, View<float, 'R', 'F'> y, int) {
  Run(x, weight, offsets, y);
}
void slices_per_warp(View<const Bf16, 'R', 'C'> x, View<const Bf16, 'E', 'F', 'C'> weight,
                     View<const int64_t, 'O'> offsets, View<Bf16, 'R', 'F'> y, int) {
  Run(x, weight, offsets, y);
}

}  // namespace touchstone::kernels::expert_linear
