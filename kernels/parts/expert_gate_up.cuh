// SwiGLU(RN(x gate_e^T), RN(x up_e^T)) for rows that are sorted by expert (op dispatch): tiles of
// chains of an expert's rows, or slices of chains where experts have few.
#pragma once

#include "kernels/parts/gate_up_slices.cuh"
#include "kernels/parts/gate_up_tiles.cuh"
#include "kernels/parts/ragged_tiles.cuh"

namespace touchstone::kernels {

template <typename Storage, int kThreadRows>
__global__ void __launch_bounds__(kChainThreads, 2)
    ExpertGateUpTile(const Storage* x, const Storage* gate, const Storage* up,
                     const int64_t* offsets, int64_t R, int64_t E, int64_t F, int64_t C, bool wide,
                     Storage* y) {
  const RaggedTile tile = FindRaggedTile(offsets, E, R, blockIdx.x, 8 * kThreadRows);
  if (tile.rows == 0) return;  // the whole block
  const int64_t f0 = int64_t{blockIdx.y} * kGateUpColumns, weight = (tile.group * F + f0) * C;
  GateUpTile<Storage, kThreadRows>(x + tile.row * C, gate + weight, up + weight, tile.rows, F - f0,
                                   C, wide, y + tile.row * F + f0, F);
}

template <typename S, typename Storage>
__global__ void __launch_bounds__(32 * S::kMaxWarps, S::kTokens == 8 ? 2 : 4)
    ExpertGateUpSlice(const Storage* x, const Storage* gate, const Storage* up,
                      const int64_t* offsets, unsigned tiles, int64_t R, int64_t E, int64_t F,
                      int64_t C, bool wide, Storage* y) {
  const RaggedTile& tile = ShareRaggedTile(offsets, E, R, blockIdx.x % tiles, S::kTokens);
  if (tile.rows == 0) return;  // the whole block
  const int64_t f0 = int64_t{blockIdx.x / tiles} * kGateUpRows<S>;
  const int64_t weight = (tile.group * F + f0) * C;
  GateUpSlice<S>(x + tile.row * C, gate + weight, up + weight, tile.rows, F - f0, C, wide,
                 y + tile.row * F + f0, F);
}

template <int kThreadRows, typename Storage>
void LaunchExpertGateUpTiles(const Storage* x, const Storage* gate, const Storage* up,
                             const int64_t* offsets, int64_t R, int64_t E, int64_t F, int64_t C,
                             bool wide, Storage* y) {
  const unsigned tiles = simt::BlocksFor(RaggedTiles(R, E, 8 * kThreadRows), 1);
  simt::Launch({.grid = dim3(tiles, simt::BlocksFor(F, kGateUpColumns)),
                .block = dim3(kChainThreads),
                .dynamic_shared = ChainTileSharedBytes<Storage, kThreadRows>(C)},
               ExpertGateUpTile<Storage, kThreadRows>, x, gate, up, offsets, R, E, F, C, wide, y);
}

template <typename S, typename Storage>
void LaunchExpertGateUpSlices(const Storage* x, const Storage* gate, const Storage* up,
                              const int64_t* offsets, int64_t R, int64_t E, int64_t F, int64_t C,
                              bool wide, Storage* y) {
  const unsigned tiles = simt::BlocksFor(RaggedTiles(R, E, S::kTokens), 1);
  simt::Launch(SliceLaunch<S>(tiles * simt::BlocksFor(F, kGateUpRows<S>), C),
               ExpertGateUpSlice<S, Storage>, x, gate, up, offsets, tiles, R, E, F, C, wide, y);
}

// x (R, C), gate and up (E, F, C), offsets (E + 1), y (R, F), each dense.
template <typename Storage>
void ExpertGateUp(const Storage* x, const Storage* gate, const Storage* up, const int64_t* offsets,
                  int64_t R, int64_t E, int64_t F, int64_t C, Storage* y) {
  if (R == 0 || F == 0) return;
  const auto launch = R <= 1   ? LaunchExpertGateUpSlices<Slices<Storage, 1, 1, 128, 3>, Storage>
                      : R <= E ? LaunchExpertGateUpSlices<Slices<Storage, 2, 1, 128, 3>, Storage>
                      : R <= 3 * E ? LaunchExpertGateUpSlices<Slices<Storage, 4, 2, 64, 3>, Storage>
                      : R <= 16 * E
                          ? LaunchExpertGateUpSlices<Slices<Storage, 8, 4, 64, 2>, Storage>
                      : R <= 32 * E ? LaunchExpertGateUpTiles<4, Storage>
                      : R <= 64 * E ? LaunchExpertGateUpTiles<8, Storage>
                                    : LaunchExpertGateUpTiles<16, Storage>;
  const bool wide = ChainIsWide(x, gate, C) && ChainIsWide(x, up, C);
  launch(x, gate, up, offsets, R, E, F, C, wide, y);
}

}  // namespace touchstone::kernels
