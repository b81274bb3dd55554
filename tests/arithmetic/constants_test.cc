// Rule N12: the scale of attention, computed as the reference computes it, is RN32 of the real
// 1 / sqrt(D); and a configuration's decimal is rounded once, through binary64.
#include <gtest/gtest.h>
#include <mpfr.h>

#include <cmath>
#include <cstdint>

namespace touchstone {
namespace {

TEST(Constants, AttentionScaleIsTheRealValueRoundedOnce) {
  mpfr_t scale;
  mpfr_init2(scale, 24);
  for (uint32_t D = 1; D <= 20000; ++D) {
    mpfr_set_ui(scale, D, MPFR_RNDN);  // exact: D < 2^24
    mpfr_rec_sqrt(scale, scale, MPFR_RNDN);
    const float computed = static_cast<float>(1.0 / std::sqrt(static_cast<double>(D)));
    ASSERT_EQ(computed, mpfr_get_flt(scale, MPFR_RNDN)) << D;
  }
  mpfr_clear(scale);
}

// 1e-5 is in neither format: binary64 first, then binary32, as the configuration's reader does.
TEST(Constants, DecimalsAreRoundedThroughBinary64) {
  EXPECT_EQ(static_cast<float>(1e-5), 0x1.4f8b58p-17f);
  EXPECT_EQ(static_cast<float>(1e-6), 0x1.0c6f7ap-20f);
  EXPECT_EQ(static_cast<float>(0.1), 0x1.99999ap-4f);
}

}  // namespace
}  // namespace touchstone
