#include "reference/ops/qk_norm/qk_norm.h"

#include <cmath>

#include "reference/arithmetic/lanes.h"

namespace touchstone {

// [doc: op]
template <typename Storage>
void QkNorm(View<const Storage, 'T', 'H', 'D'> x, float eps, View<Storage, 'T', 'H', 'D'> y) {
  const int64_t T = Extent<'T'>(x, y);
  const int64_t H = Extent<'H'>(x, y);
  const int64_t D = Extent<'D'>(x, y);
  TOUCHSTONE_REQUIRE(D > 0);

  for (int64_t t = 0; t < T; ++t) {
    for (int64_t h = 0; h < H; ++h) {
      const float sum = SumOfSquares(D, [&](int64_t d) { return Widen(x(t, h, d)); });
      const float mean = sum / static_cast<float>(D);
      const float r = 1.0f / std::sqrt(mean + eps);
      for (int64_t d = 0; d < D; ++d) y(t, h, d) = Narrow<Storage>(Widen(x(t, h, d)) * r);
    }
  }
}
// [doc: end op]

template void QkNorm(View<const float, 'T', 'H', 'D'>, float, View<float, 'T', 'H', 'D'>);
template void QkNorm(View<const Bf16, 'T', 'H', 'D'>, float, View<Bf16, 'T', 'H', 'D'>);

}  // namespace touchstone
