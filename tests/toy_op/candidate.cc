// A candidate: the same bits by flipping the sign bit.
#include "reference/ops/negate/negate.h"

namespace touchstone::optimized::negate {

template <typename Storage>
void Flip(View<const Storage, 'T', 'C'> x, View<Storage, 'T', 'C'> y) {
  for (int64_t t = 0; t < x.shape[0]; ++t) {
    for (int64_t c = 0; c < x.shape[1]; ++c) y(t, c) = Narrow<Storage>(Widen(x(t, c)) * -1.0f);
  }
}

void sign_flip(View<const float, 'T', 'C'> x, View<float, 'T', 'C'> y) { Flip(x, y); }
void sign_flip(View<const Bf16, 'T', 'C'> x, View<Bf16, 'T', 'C'> y) { Flip(x, y); }

}  // namespace touchstone::optimized::negate
