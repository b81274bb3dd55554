// bf16: every widening; narrowing against a definition that knows no bit trick.
#include "reference/formats/bf16.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

namespace touchstone {
namespace {

constexpr float kInf = std::numeric_limits<float>::infinity();

uint32_t BitsOf(float x) { return std::bit_cast<uint32_t>(x); }
float FloatOf(uint32_t bits) { return std::bit_cast<float>(bits); }

bool IsNan(uint16_t pattern) { return (pattern & 0x7f80) == 0x7f80 && (pattern & 0x7f) != 0; }

// The real value of a magnitude pattern, by the definition of the format: 8 bits of exponent, 7 of
// fraction. The pattern of infinity stands for 2^128, where the next binade would begin.
double Magnitude(uint16_t pattern) {
  const int exponent = pattern >> 7;
  const int fraction = pattern & 0x7f;
  return exponent == 0 ? std::ldexp(fraction, -133) : std::ldexp(128 + fraction, exponent - 134);
}

std::vector<double> MagnitudeTable() {
  std::vector<double> table;
  for (uint16_t pattern = 0; pattern <= 0x7f80; ++pattern) table.push_back(Magnitude(pattern));
  return table;
}

// The nearest of the two neighbours of |x|, by distance; at equal distance the even pattern.
// Binary64 holds |x|, both neighbours and both distances exactly.
uint16_t NearestPattern(float x, const std::vector<double>& magnitudes) {
  if (x != x) return 0x7fc0;
  const uint16_t sign = std::signbit(x) ? 0x8000 : 0;
  const double size = std::fabs(static_cast<double>(x));
  if (std::isinf(x)) return static_cast<uint16_t>(sign | 0x7f80);
  uint16_t below = static_cast<uint16_t>((BitsOf(x) & 0x7fffffff) >> 16);
  EXPECT_LE(magnitudes[below], size);
  EXPECT_LT(size, magnitudes[below + 1u]);
  const double down = size - magnitudes[below];
  const double up = magnitudes[below + 1u] - size;
  if (up < down || (up == down && below % 2 == 1)) ++below;
  return static_cast<uint16_t>(sign | below);
}

TEST(Bf16, EveryWideningIsExact) {
  for (uint32_t pattern = 0; pattern < 0x10000; ++pattern) {
    const Bf16 x{static_cast<uint16_t>(pattern)};
    const float wide = Widen(x);
    if (IsNan(x.bits)) {
      EXPECT_TRUE(std::isnan(wide)) << pattern;
      continue;
    }
    const uint16_t magnitude = x.bits & 0x7fff;
    EXPECT_EQ(std::signbit(wide), x.bits >= 0x8000) << pattern;
    if (magnitude == 0x7f80) {
      EXPECT_TRUE(std::isinf(wide)) << pattern;
    } else {
      EXPECT_EQ(std::fabs(static_cast<double>(wide)), Magnitude(magnitude)) << pattern;
    }
  }
}

TEST(Bf16, NarrowingUndoesWidening) {
  for (uint32_t pattern = 0; pattern < 0x10000; ++pattern) {
    const Bf16 x{static_cast<uint16_t>(pattern)};
    EXPECT_EQ(NarrowToBf16(Widen(x)).bits, IsNan(x.bits) ? 0x7fc0 : x.bits) << pattern;
  }
}

// 97 is prime to 2^32, so that every low half and every exponent is met.
TEST(Bf16, NarrowingIsNearestOnEvery97thPattern) {
  const std::vector<double> magnitudes = MagnitudeTable();
  int64_t wrong = 0, compared = 0;
  for (uint64_t bits = 0; bits < uint64_t{1} << 32; bits += 97) {
    const float x = FloatOf(static_cast<uint32_t>(bits));
    ++compared;
    if (NarrowToBf16(x).bits == NearestPattern(x, magnitudes)) continue;
    if (++wrong <= 5) ADD_FAILURE() << std::hex << bits << " becomes " << NarrowToBf16(x).bits;
  }
  EXPECT_EQ(wrong, 0);
  EXPECT_EQ(compared, 44278014);
}

// Around every midpoint of two bf16 numbers, and around every bf16 number.
TEST(Bf16, NarrowingIsNearestAroundEveryMidpoint) {
  const std::vector<double> magnitudes = MagnitudeTable();
  for (uint32_t upper = 0; upper < 0x10000; ++upper) {
    for (const uint32_t lower : {0x0000u, 0x0001u, 0x7ffeu, 0x7fffu, 0x8000u, 0x8001u, 0xffffu}) {
      const float x = FloatOf(upper << 16 | lower);
      EXPECT_EQ(NarrowToBf16(x).bits, NearestPattern(x, magnitudes)) << std::hex << BitsOf(x);
    }
  }
}

TEST(Bf16, TiesGoToEven) {
  EXPECT_EQ(NarrowToBf16(1.0f + 0x1p-8f).bits, 0x3f80);   // between 1 and 1 + 2^-7
  EXPECT_EQ(NarrowToBf16(1.0f + 0x3p-8f).bits, 0x3f82);   // between 1 + 2^-7 and 1 + 2^-6
  EXPECT_EQ(NarrowToBf16(-1.0f - 0x3p-8f).bits, 0xbf82);  // by magnitude, not by value
  EXPECT_EQ(NarrowToBf16(0x1.00fffep+0f).bits, 0x3f80);
  EXPECT_EQ(NarrowToBf16(0x1.010002p+0f).bits, 0x3f81);
}

TEST(Bf16, SubnormalsAreKept) {
  EXPECT_EQ(NarrowToBf16(0x1p-133f).bits, 0x0001);    // the smallest
  EXPECT_EQ(NarrowToBf16(0x1p-134f).bits, 0x0000);    // half of it: a tie, to even
  EXPECT_EQ(NarrowToBf16(0x1.8p-133f).bits, 0x0002);  // a tie, to even
  EXPECT_EQ(NarrowToBf16(0x1.0002p-134f).bits, 0x0001);
  EXPECT_EQ(NarrowToBf16(-0x1p-149f).bits, 0x8000);
  EXPECT_EQ(NarrowToBf16(0x1.fep-127f).bits, 0x0080);  // 127.5 spacings: up, to the least normal
  EXPECT_EQ(Widen(Bf16{0x0001}), 0x1p-133f);
}

TEST(Bf16, OverflowGivesInfinity) {
  EXPECT_EQ(NarrowToBf16(0x1.fe0000p+127f).bits, 0x7f7f);  // the largest
  EXPECT_EQ(NarrowToBf16(0x1.fefffep+127f).bits, 0x7f7f);  // below the midpoint to 2^128
  EXPECT_EQ(NarrowToBf16(0x1.ff0000p+127f).bits, 0x7f80);  // the midpoint: 2^128 is even
  EXPECT_EQ(NarrowToBf16(0x1.fffffep+127f).bits, 0x7f80);
  EXPECT_EQ(NarrowToBf16(-0x1.fffffep+127f).bits, 0xff80);
  EXPECT_EQ(NarrowToBf16(kInf).bits, 0x7f80);
  EXPECT_EQ(NarrowToBf16(-kInf).bits, 0xff80);
}

// Also those whose upper half alone would be an infinity, or which a carry would turn into a zero.
TEST(Bf16, EveryNanBecomesTheCanonicalOne) {
  for (const uint32_t bits : {0x7fc00000u, 0xffc00000u, 0x7f800001u, 0xff800001u, 0x7f80ffffu,
                              0x7fffffffu, 0xffffffffu, 0x7fff8000u}) {
    EXPECT_EQ(NarrowToBf16(FloatOf(bits)).bits, kCanonicalNanBf16) << std::hex << bits;
    EXPECT_EQ(BitsOf(CanonicalNan(FloatOf(bits))), kCanonicalNanF32) << std::hex << bits;
  }
  for (uint32_t pattern = 0; pattern < 0x10000; ++pattern) {
    const Bf16 x{static_cast<uint16_t>(pattern)};
    EXPECT_EQ(CanonicalNan(x).bits, IsNan(x.bits) ? kCanonicalNanBf16 : x.bits);
  }
  for (const float x : {0.0f, -0.0f, 1.0f, kInf, -kInf, 0x1p-149f}) {
    EXPECT_EQ(BitsOf(CanonicalNan(x)), BitsOf(x));
  }
}

TEST(Bf16, EqualityIsOfBits) {
  EXPECT_FALSE(Bf16{0x0000} == Bf16{0x8000});
  EXPECT_TRUE(Bf16{kCanonicalNanBf16} == Bf16{kCanonicalNanBf16});
}

TEST(Bf16, TheSameVerbsForBothRecipes) {
  EXPECT_EQ(RoundTo<Bf16>(1.0f + 0x1p-9f), 1.0f);
  EXPECT_EQ(RoundTo<float>(1.0f + 0x1p-9f), 1.0f + 0x1p-9f);
  EXPECT_EQ(Narrow<Bf16>(2.0f).bits, 0x4000);
  EXPECT_EQ(Narrow<float>(2.0f), 2.0f);
  EXPECT_EQ(kDtypeOf<float>, Dtype::kF32);
  EXPECT_EQ(kDtypeOf<Bf16>, Dtype::kBf16);
  EXPECT_EQ(kDtypeOf<int64_t>, Dtype::kI64);
  static_assert(!Element<double> && !Element<uint16_t>);
  static_assert(NarrowToBf16(1.0f).bits == 0x3f80 && Widen(Bf16{0x3f80}) == 1.0f);
}

}  // namespace
}  // namespace touchstone
