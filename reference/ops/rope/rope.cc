#include "reference/ops/rope/rope.h"

namespace touchstone {

// [doc: op]
template <typename Storage>
void Rope(View<const Storage, 'T', 'H', 'D'> x, View<const float, 'T', 'J', '2'> table,
          View<Storage, 'T', 'H', 'D'> y) {
  const int64_t T = Extent<'T'>(x, table, y);
  const int64_t H = Extent<'H'>(x, y);
  const int64_t D = Extent<'D'>(x, y);
  const int64_t J = Extent<'J'>(table);
  TOUCHSTONE_REQUIRE(D == 2 * J);
  TOUCHSTONE_REQUIRE(Extent<'2'>(table) == 2);

  for (int64_t t = 0; t < T; ++t) {
    for (int64_t h = 0; h < H; ++h) {
      for (int64_t j = 0; j < J; ++j) {
        const float x0 = Widen(x(t, h, 2 * j));
        const float x1 = Widen(x(t, h, 2 * j + 1));
        const float cosine = table(t, j, 0);
        const float sine = table(t, j, 1);
        const float x0_cos = x0 * cosine;
        const float x1_sin = x1 * sine;
        const float x0_sin = x0 * sine;
        const float x1_cos = x1 * cosine;
        y(t, h, 2 * j) = Narrow<Storage>(x0_cos - x1_sin);
        y(t, h, 2 * j + 1) = Narrow<Storage>(x0_sin + x1_cos);
      }
    }
  }
}
// [doc: end op]

template void Rope(View<const float, 'T', 'H', 'D'>, View<const float, 'T', 'J', '2'>,
                   View<float, 'T', 'H', 'D'>);
template void Rope(View<const Bf16, 'T', 'H', 'D'>, View<const float, 'T', 'J', '2'>,
                   View<Bf16, 'T', 'H', 'D'>);

}  // namespace touchstone
