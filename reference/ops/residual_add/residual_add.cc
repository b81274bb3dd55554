#include "reference/ops/residual_add/residual_add.h"

namespace touchstone {

// [doc: op]
template <typename Storage>
void ResidualAdd(View<const Storage, 'T', 'C'> a, View<const Storage, 'T', 'C'> b,
                 View<Storage, 'T', 'C'> y) {
  const int64_t T = Extent<'T'>(a, b, y);
  const int64_t C = Extent<'C'>(a, b, y);
  for (int64_t t = 0; t < T; ++t) {
    for (int64_t c = 0; c < C; ++c) y(t, c) = Narrow<Storage>(Widen(a(t, c)) + Widen(b(t, c)));
  }
}
// [doc: end op]

template void ResidualAdd(View<const float, 'T', 'C'>, View<const float, 'T', 'C'>,
                          View<float, 'T', 'C'>);
template void ResidualAdd(View<const Bf16, 'T', 'C'>, View<const Bf16, 'T', 'C'>,
                          View<Bf16, 'T', 'C'>);

}  // namespace touchstone
