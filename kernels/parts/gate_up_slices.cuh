// SwiGLU(RN(x gate^T), RN(x up^T)) for few tokens, in slices of chains: the rows of a block
// alternate between gate and up, so that both sums of an output meet in its shared memory.
#pragma once

#include "kernels/parts/gate_up_tiles.cuh"
#include "kernels/parts/linear_slices.cuh"

namespace touchstone::kernels {

// Outputs of a block.
template <typename S>
constexpr int kGateUpRows = S::kWarpRows / 2;

// y(t, f) for t < tokens and the outputs f of gate and up, f < F and below kGateUpRows<S>: x, gate
// and up are rows of C values, y rows of `stride`. For a kernel that SliceLaunch<S> launches.
template <typename S, typename Storage>
__device__ __forceinline__ void GateUpSlice(const Storage* x, const Storage* gate,
                                            const Storage* up, int tokens, int64_t F, int64_t C,
                                            bool wide, Storage* y, int64_t stride) {
  const int outputs = static_cast<int>(std::min<int64_t>(F, kGateUpRows<S>));
  const auto& total = SliceTile<S>(x, tokens, 2 * outputs, C, wide, [&](int row) {
    return (row % 2 == 0 ? gate : up) + row / 2 * C;
  });
  for (int i = threadIdx.x; i < S::kTokens * kGateUpRows<S>; i += blockDim.x) {
    const int t = i / kGateUpRows<S>, f = i % kGateUpRows<S>;
    if (t < tokens && f < outputs) {
      y[t * stride + f] = SwiGluOfSums<Storage>(total[t][2 * f], total[t][2 * f + 1]);
    }
  }
}

}  // namespace touchstone::kernels
