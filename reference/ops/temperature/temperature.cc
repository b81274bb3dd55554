#include "reference/ops/temperature/temperature.h"

#include <cmath>

#include "reference/arithmetic/functions.h"

namespace touchstone {

// [doc: op]
template <typename Storage>
void Temperature(View<const Storage, 'T', 'H', 'D'> q, View<const int64_t, 'T'> positions,
                 float floor_scale, float attn_scale, View<Storage, 'T', 'H', 'D'> y) {
  const int64_t T = Extent<'T'>(q, positions, y);
  const int64_t H = Extent<'H'>(q, y);
  const int64_t D = Extent<'D'>(q, y);
  TOUCHSTONE_REQUIRE(floor_scale > 0.0f);

  for (int64_t t = 0; t < T; ++t) {
    TOUCHSTONE_REQUIRE(0 <= positions(t) && positions(t) < (int64_t{1} << 24) - 1);
    const float steps = std::floor(static_cast<float>(positions(t) + 1) / floor_scale);
    const float growth = Log(steps + 1.0f) * attn_scale;
    const float temperature = growth + 1.0f;
    for (int64_t h = 0; h < H; ++h) {
      for (int64_t d = 0; d < D; ++d) y(t, h, d) = Narrow<Storage>(Widen(q(t, h, d)) * temperature);
    }
  }
}
// [doc: end op]

template void Temperature(View<const float, 'T', 'H', 'D'>, View<const int64_t, 'T'>, float, float,
                          View<float, 'T', 'H', 'D'>);
template void Temperature(View<const Bf16, 'T', 'H', 'D'>, View<const int64_t, 'T'>, float, float,
                          View<Bf16, 'T', 'H', 'D'>);

}  // namespace touchstone
