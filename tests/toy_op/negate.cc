#include "reference/ops/negate/negate.h"

namespace touchstone {

// [doc: op]
template <typename Storage>
void Negate(View<const Storage, 'T', 'C'> x, View<Storage, 'T', 'C'> y) {
  const int64_t T = Extent<'T'>(x, y), C = Extent<'C'>(x, y);
  for (int64_t t = 0; t < T; ++t) {
    for (int64_t c = 0; c < C; ++c) y(t, c) = Narrow<Storage>(-Widen(x(t, c)));
  }
}
// [doc: end op]

template void Negate(View<const float, 'T', 'C'>, View<float, 'T', 'C'>);
template void Negate(View<const Bf16, 'T', 'C'>, View<Bf16, 'T', 'C'>);

}  // namespace touchstone
