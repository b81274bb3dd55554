#include "reference/ops/combine/combine.h"

namespace touchstone {

// [doc: op]
template <typename Storage>
void Combine(View<const Storage, 'R', 'C'> rows, View<const int64_t, 'R'> row_token,
             View<Storage, 'T', 'C'> y) {
  const int64_t R = Extent<'R'>(rows, row_token);
  const int64_t T = Extent<'T'>(y);
  const int64_t C = Extent<'C'>(rows, y);
  for (int64_t r = 0; r < R; ++r) TOUCHSTONE_REQUIRE(0 <= row_token(r) && row_token(r) < T);

  for (int64_t t = 0; t < T; ++t) {
    for (int64_t c = 0; c < C; ++c) {
      float sum = 0.0f;
      for (int64_t r = 0; r < R; ++r) {
        if (row_token(r) == t) sum = sum + Widen(rows(r, c));
      }
      y(t, c) = Narrow<Storage>(sum);
    }
  }
}
// [doc: end op]

template void Combine(View<const float, 'R', 'C'>, View<const int64_t, 'R'>, View<float, 'T', 'C'>);
template void Combine(View<const Bf16, 'R', 'C'>, View<const int64_t, 'R'>, View<Bf16, 'T', 'C'>);

}  // namespace touchstone
