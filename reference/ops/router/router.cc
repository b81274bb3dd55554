#include "reference/ops/router/router.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include "reference/arithmetic/functions.h"

namespace touchstone {
namespace {

// [doc: order]
// Rule N6: whether a ranks before b on the value alone; ties are left to the index.
bool Beats(float a, float b) { return std::isnan(a) ? !std::isnan(b) : a > b; }
// [doc: end order]

}  // namespace

// [doc: op]
template <typename Storage>
void Router(View<const Storage, 'T', 'E'> logits, View<int64_t, 'T', 'A'> chosen,
            View<Storage, 'T', 'A'> scores) {
  const int64_t T = Extent<'T'>(logits, chosen, scores);
  const int64_t E = Extent<'E'>(logits);
  const int64_t A = Extent<'A'>(chosen, scores);
  TOUCHSTONE_REQUIRE(0 < A && A <= E);

  std::vector<int64_t> ranked(static_cast<size_t>(E));
  for (int64_t t = 0; t < T; ++t) {
    std::iota(ranked.begin(), ranked.end(), 0);
    std::stable_sort(ranked.begin(), ranked.end(), [&](int64_t i, int64_t j) {
      return Beats(Widen(logits(t, i)), Widen(logits(t, j)));
    });
    for (int64_t a = 0; a < A; ++a) {
      const int64_t expert = ranked[static_cast<size_t>(a)];
      const float exponential = Exp(-Widen(logits(t, expert)));
      chosen(t, a) = expert;
      scores(t, a) = Narrow<Storage>(1.0f / (1.0f + exponential));
    }
  }
}
// [doc: end op]

template void Router(View<const float, 'T', 'E'>, View<int64_t, 'T', 'A'>, View<float, 'T', 'A'>);
template void Router(View<const Bf16, 'T', 'E'>, View<int64_t, 'T', 'A'>, View<Bf16, 'T', 'A'>);

}  // namespace touchstone
