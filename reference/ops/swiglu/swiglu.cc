#include "reference/ops/swiglu/swiglu.h"

#include "reference/arithmetic/functions.h"

namespace touchstone {

// [doc: op]
template <typename Storage>
void SwiGlu(View<const Storage, 'T', 'F'> gate, View<const Storage, 'T', 'F'> up,
            View<Storage, 'T', 'F'> y) {
  const int64_t T = Extent<'T'>(gate, up, y);
  const int64_t F = Extent<'F'>(gate, up, y);
  for (int64_t t = 0; t < T; ++t) {
    for (int64_t f = 0; f < F; ++f) {
      const float g = Widen(gate(t, f));
      const float silu = RoundTo<Storage>(g / (1.0f + Exp(-g)));
      y(t, f) = Narrow<Storage>(silu * Widen(up(t, f)));
    }
  }
}
// [doc: end op]

template void SwiGlu(View<const float, 'T', 'F'>, View<const float, 'T', 'F'>,
                     View<float, 'T', 'F'>);
template void SwiGlu(View<const Bf16, 'T', 'F'>, View<const Bf16, 'T', 'F'>, View<Bf16, 'T', 'F'>);

}  // namespace touchstone
