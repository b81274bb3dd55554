#include "reference/ops/rope_table/rope_table.h"

#include <cmath>

#include "reference/arithmetic/functions.h"

namespace touchstone {

// [doc: op]
void RopeTable(View<const float, 'J'> f, View<const int64_t, 'T'> positions,
               View<float, 'T', 'J', '2'> table) {
  const int64_t T = Extent<'T'>(positions, table);
  const int64_t J = Extent<'J'>(f, table);
  TOUCHSTONE_REQUIRE(Extent<'2'>(table) == 2);

  for (int64_t t = 0; t < T; ++t) {
    TOUCHSTONE_REQUIRE(0 <= positions(t) && positions(t) < (int64_t{1} << 24));
    for (int64_t j = 0; j < J; ++j) {
      const float angle = static_cast<float>(positions(t)) * f(j);
      TOUCHSTONE_REQUIRE(std::fabs(angle) < 0x1p24f);
      table(t, j, 0) = Cos(angle);
      table(t, j, 1) = Sin(angle);
    }
  }
}
// [doc: end op]

}  // namespace touchstone
