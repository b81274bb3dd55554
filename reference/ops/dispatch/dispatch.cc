#include "reference/ops/dispatch/dispatch.h"

namespace touchstone {

// [doc: op]
template <typename Storage>
void Dispatch(View<const Storage, 'T', 'C'> x, View<const int64_t, 'T', 'A'> chosen,
              View<const Storage, 'T', 'A'> scores, View<Storage, 'R', 'C'> rows,
              View<int64_t, 'R'> row_token, View<int64_t, 'O'> offsets) {
  const int64_t T = Extent<'T'>(x, chosen, scores);
  const int64_t C = Extent<'C'>(x, rows);
  const int64_t A = Extent<'A'>(chosen, scores);
  const int64_t E = Extent<'O'>(offsets) - 1;
  TOUCHSTONE_REQUIRE(Extent<'R'>(rows, row_token) == T * A);
  TOUCHSTONE_REQUIRE(E >= 0);
  for (int64_t t = 0; t < T; ++t) {
    for (int64_t a = 0; a < A; ++a) {
      TOUCHSTONE_REQUIRE(0 <= chosen(t, a) && chosen(t, a) < E);
      for (int64_t b = 0; b < a; ++b) TOUCHSTONE_REQUIRE(chosen(t, b) != chosen(t, a));
    }
  }

  int64_t r = 0;
  for (int64_t e = 0; e < E; ++e) {
    offsets(e) = r;
    for (int64_t t = 0; t < T; ++t) {
      for (int64_t a = 0; a < A; ++a) {
        if (chosen(t, a) != e) continue;
        const float score = Widen(scores(t, a));
        for (int64_t c = 0; c < C; ++c) rows(r, c) = Narrow<Storage>(Widen(x(t, c)) * score);
        row_token(r) = t;
        ++r;
      }
    }
  }
  offsets(E) = r;
}
// [doc: end op]

template void Dispatch(View<const float, 'T', 'C'>, View<const int64_t, 'T', 'A'>,
                       View<const float, 'T', 'A'>, View<float, 'R', 'C'>, View<int64_t, 'R'>,
                       View<int64_t, 'O'>);
template void Dispatch(View<const Bf16, 'T', 'C'>, View<const int64_t, 'T', 'A'>,
                       View<const Bf16, 'T', 'A'>, View<Bf16, 'R', 'C'>, View<int64_t, 'R'>,
                       View<int64_t, 'O'>);

}  // namespace touchstone
