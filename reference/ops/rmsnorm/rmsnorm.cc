#include "reference/ops/rmsnorm/rmsnorm.h"

#include <cmath>

#include "reference/arithmetic/lanes.h"

namespace touchstone {

// [doc: op]
template <typename Storage>
void RmsNorm(View<const Storage, 'T', 'C'> x, View<const Storage, 'C'> weight, float eps,
             View<Storage, 'T', 'C'> y) {
  const int64_t T = Extent<'T'>(x, y);
  const int64_t C = Extent<'C'>(x, weight, y);
  TOUCHSTONE_REQUIRE(C > 0);

  for (int64_t t = 0; t < T; ++t) {
    const float sum = SumOfSquares(C, [&](int64_t c) { return Widen(x(t, c)); });
    const float mean = sum / static_cast<float>(C);
    const float r = 1.0f / std::sqrt(mean + eps);

    for (int64_t c = 0; c < C; ++c) {
      const float unit = RoundTo<Storage>(Widen(x(t, c)) * r);
      y(t, c) = Narrow<Storage>(unit * Widen(weight(c)));
    }
  }
}
// [doc: end op]

template void RmsNorm(View<const float, 'T', 'C'>, View<const float, 'C'>, float,
                      View<float, 'T', 'C'>);
template void RmsNorm(View<const Bf16, 'T', 'C'>, View<const Bf16, 'C'>, float,
                      View<Bf16, 'T', 'C'>);

}  // namespace touchstone
