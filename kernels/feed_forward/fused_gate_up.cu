// Feed-forward in two launches: gate and up with SwiGLU at their end, then down. Up to 16 tokens by
// slices of chains, more by tiles.
// architectures: 80 90 100
#include "kernels/feed_forward/fused_gate_up.h"

#include "kernels/gate_up_swiglu/register_tiles.h"
#include "kernels/gate_up_swiglu/slices_per_warp.h"
#include "kernels/linear/by_tokens.h"
#include "kernels/simt/simt.cuh"

namespace touchstone::kernels::feed_forward {
namespace {

template <typename Storage>
void Run(View<const Storage, 'T', 'C'> x, View<const Storage, 'F', 'C'> gate,
         View<const Storage, 'F', 'C'> up, View<const Storage, 'C', 'F'> down,
         View<Storage, 'T', 'C'> y) {
  const int64_t T = Extent<'T'>(x, y), F = Extent<'F'>(gate, up, down);
  Extent<'C'>(x, gate, up, down, y);
  const simt::DeviceBuffer<Storage> activation(T * F);
  const View<Storage, 'T', 'F'> middle = Packed<'T', 'F'>(activation.data(), T, F);
  if (T <= linear::kFewTokens) {
    gate_up_swiglu::slices_per_warp(x, gate, up, middle);
  } else {
    gate_up_swiglu::register_tiles(x, gate, up, middle);
  }
  const View<const Storage, 'T', 'C'> from{activation.data(), {T, F}, {F, 1}};
  const View<const Storage, 'F', 'C'> weight{down.data, down.shape, down.stride};
  const View<Storage, 'T', 'F'> to{y.data, y.shape, y.stride};
  linear::ByTokens(from, weight, to);
}

}  // namespace

void fused_gate_up(View<const float, 'T', 'C'> x, View<const float, 'F', 'C'> gate,
                   View<const float, 'F', 'C'> up, View<const float, 'C', 'F'> down,
                   View<float, 'T', 'C'> y) {
  Run(x, gate, up, down, y);
}
void fused_gate_up(View<const Bf16, 'T', 'C'> x, View<const Bf16, 'F', 'C'> gate,
                   View<const Bf16, 'F', 'C'> up, View<const Bf16, 'C', 'F'> down,
                   View<Bf16, 'T', 'C'> y) {
  Run(x, gate, up, down, y);
}

}  // namespace touchstone::kernels::feed_forward
