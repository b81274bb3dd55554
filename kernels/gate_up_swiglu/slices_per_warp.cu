// Gate and up projections and SwiGLU for few tokens: the slices of a chain lie in different lanes
// and warps, and each weight is read once for up to 8 tokens: parts/gate_up_slices.cuh.
// architectures: 80 90 100
#include "kernels/gate_up_swiglu/slices_per_warp.h"

#include "kernels/parts/dense.h"
#include "kernels/parts/gate_up_slices.cuh"

namespace touchstone::kernels::gate_up_swiglu {
namespace {

template <typename S, typename Storage>
__global__ void __launch_bounds__(32 * S::kMaxWarps, 4)
    TokenSlice(const Storage* x, const Storage* gate, const Storage* up, int64_t T, int64_t F,
               int64_t C, bool wide, Storage* y) {
  // Blocks that run side by side share rows of gate and up.
  const int64_t token_tiles = (T + S::kTokens - 1) / S::kTokens;
  const int64_t t0 = blockIdx.x % token_tiles * S::kTokens;
  const int64_t f0 = blockIdx.x / token_tiles * kGateUpRows<S>;
  const int tokens = static_cast<int>(std::min<int64_t>(T - t0, S::kTokens));
  GateUpSlice<S>(x + t0 * C, gate + f0 * C, up + f0 * C, tokens, F - f0, C, wide, y + t0 * F + f0,
                 F);
}

template <typename S, typename Storage>
void LaunchSlices(const Storage* x, const Storage* gate, const Storage* up, int64_t T, int64_t F,
                  int64_t C, Storage* y) {
  const bool wide = ChainIsWide(x, gate, C) && ChainIsWide(x, up, C);
  const unsigned blocks = simt::BlocksFor(T, S::kTokens) * simt::BlocksFor(F, kGateUpRows<S>);
  simt::Launch(SliceLaunch<S>(blocks, C), TokenSlice<S, Storage>, x, gate, up, T, F, C, wide, y);
}

template <typename Storage>
void Run(View<const Storage, 'T', 'C'> x, View<const Storage, 'F', 'C'> gate,
         View<const Storage, 'F', 'C'> up, View<Storage, 'T', 'F'> y) {
  const int64_t T = Extent<'T'>(x, y), C = Extent<'C'>(x, gate, up), F = Extent<'F'>(gate, up, y);
  if (T == 0 || F == 0) return;
  const auto launch = T == 1   ? LaunchSlices<Slices<Storage, 1, 1, 128, 3>, Storage>
                      : T == 2 ? LaunchSlices<Slices<Storage, 2, 1, 128, 3>, Storage>
                      : T <= 4 ? LaunchSlices<Slices<Storage, 4, 2, 64, 3>, Storage>
                               : LaunchSlices<Slices<Storage, 8, 4, 64, 2>, Storage>;
  launch(Dense(x), Dense(gate), Dense(up), T, F, C, Dense(y));
}

}  // namespace

void slices_per_warp(View<const float, 'T', 'C'> x, View<const float, 'F', 'C'> gate,
                     View<const float, 'F', 'C'> up, View<float, 'T', 'F'> y) {
  Run(x, gate, up, y);
}
void slices_per_warp(View<const Bf16, 'T', 'C'> x, View<const Bf16, 'F', 'C'> gate,
                     View<const Bf16, 'F', 'C'> up, View<Bf16, 'T', 'F'> y) {
  Run(x, gate, up, y);
}

}  // namespace touchstone::kernels::gate_up_swiglu
