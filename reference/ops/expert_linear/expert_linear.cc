#include "reference/ops/expert_linear/expert_linear.h"

#include "reference/ops/linear/linear.h"

namespace touchstone {

// [doc: op]
template <typename Storage>
void ExpertLinear(View<const Storage, 'R', 'C'> x, View<const Storage, 'E', 'F', 'C'> weight,
                  View<const int64_t, 'O'> offsets, View<Storage, 'R', 'F'> y, int threads) {
  const int64_t R = Extent<'R'>(x, y), E = Extent<'E'>(weight);
  const int64_t C = Extent<'C'>(x, weight), F = Extent<'F'>(weight, y);
  TOUCHSTONE_REQUIRE(Extent<'O'>(offsets) == E + 1);
  TOUCHSTONE_REQUIRE(offsets(0) == 0 && offsets(E) == R);
  for (int64_t e = 0; e < E; ++e) TOUCHSTONE_REQUIRE(offsets(e) <= offsets(e + 1));

  for (int64_t e = 0; e < E; ++e) {
    const int64_t first = offsets(e), rows = offsets(e + 1) - first;
    if (rows == 0) continue;
    const View<const Storage, 'T', 'C'> x_e{x.data + first * x.stride[0], {rows, C}, x.stride};
    const View<const Storage, 'F', 'C'> weight_e{
        weight.data + e * weight.stride[0], {F, C}, {weight.stride[1], weight.stride[2]}};
    const View<Storage, 'T', 'F'> y_e{y.data + first * y.stride[0], {rows, F}, y.stride};
    Linear<Storage>(x_e, weight_e, y_e, threads);
  }
}
// [doc: end op]

template void ExpertLinear(View<const float, 'R', 'C'>, View<const float, 'E', 'F', 'C'>,
                           View<const int64_t, 'O'>, View<float, 'R', 'F'>, int);
template void ExpertLinear(View<const Bf16, 'R', 'C'>, View<const Bf16, 'E', 'F', 'C'>,
                           View<const int64_t, 'O'>, View<Bf16, 'R', 'F'>, int);

}  // namespace touchstone
