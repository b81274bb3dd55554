#include "reference/ops/rope_frequencies/rope_frequencies.h"

#include "reference/arithmetic/rope_power.h"

namespace touchstone {
namespace {

constexpr float kTwoPi = 0x1.921fb6p+2f;  // RN32(2 pi) = 6.2831855

// [doc: scaling]
float Scaled(float f, const RopeScaling& s) {
  const float wavelength = kTwoPi / f;
  if (wavelength > s.original / s.low) return f / s.factor;
  if (wavelength < s.original / s.high) return f;
  const float band = s.high - s.low;
  if (band == 0.0f) return f;
  const float smooth = (s.original / wavelength - s.low) / band;
  const float slow = ((1.0f - smooth) * f) / s.factor;
  const float fast = smooth * f;
  return slow + fast;
}
// [doc: end scaling]

}  // namespace

// [doc: op]
void RopeFrequencies(float theta, const RopeScaling& scaling, View<float, 'J'> f) {
  const int64_t J = Extent<'J'>(f);
  TOUCHSTONE_REQUIRE(J > 0);
  TOUCHSTONE_REQUIRE(1.0f < theta && theta <= 0x1p40f);
  TOUCHSTONE_REQUIRE(!scaling.llama3 || (scaling.factor > 0.0f && scaling.low > 0.0f &&
                                         scaling.high > 0.0f && scaling.original > 0.0f));

  for (int64_t j = 0; j < J; ++j) {
    const float exponent = static_cast<float>(2 * j) / static_cast<float>(2 * J);
    const float period = RopePower(theta, exponent);
    const float plain = 1.0f / period;
    f(j) = scaling.llama3 ? Scaled(plain, scaling) : plain;
  }
}
// [doc: end op]

}  // namespace touchstone
