// Tiles of SwiGLU(RN(x gate^T), RN(x up^T)): the two projections are one tile of chains whose
// columns alternate between the rows of gate and of up, eight by eight, so that a thread has both
// sums of an output in its registers.
//
//   tile     8 kThreadRows x 64 outputs; column 16 b + i of the tile of chains is gate's output
//            8 b + i where i < 8, and up's output 8 b + i - 8 elsewhere
//   rounding gate, up, silu and their product, each to Storage, as op linear and op swiglu round
#pragma once

#include "kernels/parts/chain_tiles.cuh"
#include "reference/arithmetic/functions.h"

namespace touchstone::kernels {

constexpr int kGateUpColumns = kTileColumns / 2;

// SwiGLU of the sums of gate and of up.
template <typename Storage>
__device__ __forceinline__ Storage SwiGluOfSums(float gate, float up) {
  const float g = RoundTo<Storage>(gate);
  const float silu = RoundTo<Storage>(g / (1.0f + Exp(-g)));
  return Narrow<Storage>(silu * RoundTo<Storage>(up));
}

// y(row, f) for row < rows of the tile and the outputs f of gate and up, f < F and at most
// kGateUpColumns: x, gate and up are rows of C values, y rows of `stride`.
template <typename Storage, int kThreadRows>
__device__ __forceinline__ void GateUpTile(const Storage* x, const Storage* gate, const Storage* up,
                                           int rows, int64_t F, int64_t C, bool wide, Storage* y,
                                           int64_t stride) {
  const int outputs = static_cast<int>(std::min<int64_t>(F, kGateUpColumns));
  const int columns = (outputs + 7) / 8 * 16;
  float sum[kThreadRows][kThreadColumns];
  ChainTile<Storage, kThreadRows>(
      rows, columns, C, wide, [&](int row) { return x + row * C; },
      [&](int column) {
        const int f = std::min(column / 16 * 8 + column % 8, outputs - 1);
        return (column % 16 < 8 ? gate : up) + f * C;
      },
      sum);

#pragma unroll
  for (int i = 0; i < kThreadRows; ++i) {
    const int row = ChainRow<kThreadRows>(i);
#pragma unroll
    for (int j = 0; j < kThreadColumns; j += 2) {
      const int f = ChainColumn(j) / 16 * 8 + ChainColumn(j) % 8;
      if (row < rows && f < outputs) {
        y[row * stride + f] = SwiGluOfSums<Storage>(sum[i][j], sum[i][j + 1]);
      }
    }
  }
}

}  // namespace touchstone::kernels
