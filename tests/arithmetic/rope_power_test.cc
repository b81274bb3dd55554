// The power of the RoPE table: exact cases, refusals, MPFR on the tables of Llama 4.
#include "reference/arithmetic/rope_power.h"

#include <gtest/gtest.h>
#include <mpfr.h>

#include <limits>

#include "reference/formats/require.h"

namespace touchstone {
namespace {

float PowerByMpfr(float theta, float exponent) {
  mpfr_t base, power;
  mpfr_init2(base, 24);
  mpfr_init2(power, 24);
  mpfr_set_flt(base, theta, MPFR_RNDN);
  mpfr_set_flt(power, exponent, MPFR_RNDN);
  mpfr_pow(base, base, power, MPFR_RNDN);
  const float result = mpfr_get_flt(base, MPFR_RNDN);
  mpfr_clear(base);
  mpfr_clear(power);
  return result;
}

TEST(RopePower, ExactPowers) {
  EXPECT_EQ(RopePower(10000.0f, 0.0f), 1.0f);
  EXPECT_EQ(RopePower(10000.0f, 0.25f), 10.0f);
  EXPECT_EQ(RopePower(10000.0f, 0.5f), 100.0f);
  EXPECT_EQ(RopePower(10000.0f, 0.75f), 1000.0f);
  EXPECT_EQ(RopePower(1e6f, 0.5f), 1000.0f);
  EXPECT_EQ(RopePower(65536.0f, 0.9375f), 32768.0f);
  EXPECT_EQ(RopePower(0x1p+40f, 0.5f), 0x1p+20f);
  EXPECT_EQ(RopePower(16769025.0f, 0.5f), 4095.0f);
  EXPECT_EQ(RopePower(1.0f, 0.3f), 1.0f);
}

TEST(RopePower, NearOne) {
  EXPECT_EQ(RopePower(0x1.000002p+0f, 0x1.fffffep-1f), 0x1.000002p+0f);
  EXPECT_EQ(RopePower(0x1.000002p+0f, 0.25f), 1.0f);
  EXPECT_EQ(RopePower(500000.0f, 0x1p-149f), 1.0f);
}

// (1 + 2^-23)^(1/2) = 1 + 2^-24 - 2^-49 + ...: just below a midpoint, which it would round up from.
// (1 + 2^-23)^(1/2 + 2^-25) = 1 + 2^-24 + 2^-48 - 2^-49 + ...: just above it.
TEST(RopePower, BesideAMidpoint) {
  EXPECT_EQ(RopePower(0x1.000002p+0f, 0.5f), 1.0f);
  EXPECT_EQ(RopePower(0x1.000002p+0f, 0x1.000002p-1f), 0x1.000002p+0f);
}

TEST(RopePower, EqualsMpfrOnTheTablesOfLlama4) {
  for (const float theta : {500000.0f, 10000.0f}) {
    for (const int D : {64, 80, 88, 128}) {
      for (int j = 0; j < D / 2; ++j) {
        const float exponent = static_cast<float>(2 * j) / static_cast<float>(D);
        EXPECT_EQ(RopePower(theta, exponent), PowerByMpfr(theta, exponent))
            << "theta " << theta << " D " << D << " j " << j;
      }
    }
  }
}

TEST(RopePower, RefusesWhatItsContractExcludes) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  for (const float theta : {0.5f, 0.0f, -2.0f, 0x1.000002p+40f, nan}) {
    EXPECT_THROW(RopePower(theta, 0.5f), ContractViolation) << theta;
  }
  for (const float exponent : {-0x1p-149f, 1.0f, 2.0f, nan}) {
    EXPECT_THROW(RopePower(10000.0f, exponent), ContractViolation) << exponent;
  }
}

// The decision itself: a value nearer to a midpoint than the width must be refused. No known
// argument reaches it, so the parts are given here.
TEST(RopePower, RefusesWhatItCannotDecide) {
  const auto at = [](double low) { return binary64_pair::RoundIfDecided({0x1.000001p+0, low}); };
  EXPECT_THROW(at(0.0), ContractViolation);
  EXPECT_THROW(at(0x1p-82), ContractViolation);
  EXPECT_THROW(at(-0x1p-82), ContractViolation);
  EXPECT_EQ(at(0x1p-78), 0x1.000002p+0f);
  EXPECT_EQ(at(-0x1p-78), 1.0f);
}

}  // namespace
}  // namespace touchstone
