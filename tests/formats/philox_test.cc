// Rule N10: the generator's published known answers, the index of a word, and both distributions.
// tests/formats/philox_numpy_test.py compares whole tensors with the documentation's numpy.
#include "reference/formats/philox.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "reference/formats/bf16.h"

namespace touchstone {
namespace {

using Words = std::array<uint32_t, 4>;

// The three lines "philox4x32 10" of the file kat_vectors that Random123 publishes.
TEST(Philox, PublishedKnownAnswers) {
  EXPECT_EQ(Philox4x32({0, 0, 0, 0}, {0, 0}),
            (Words{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  constexpr uint32_t kOnes = 0xffffffff;
  EXPECT_EQ(Philox4x32({kOnes, kOnes, kOnes, kOnes}, {kOnes, kOnes}),
            (Words{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  EXPECT_EQ(Philox4x32({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}),
            (Words{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
  static_assert(Philox4x32({0, 0, 0, 0}, {0, 0})[0] == 0x6627e8d5);
}

TEST(Philox, WordOfATensor) {
  constexpr uint64_t kSeed = 0x0123456789abcdef;
  constexpr uint32_t kTensor = 0xfedcba98;
  for (const uint64_t i :
       {uint64_t{0}, uint64_t{3}, uint64_t{4}, uint64_t{4095}, (uint64_t{1} << 34) - 1,
        uint64_t{1} << 34, (uint64_t{1} << 34) + 6, ~uint64_t{0}}) {
    const uint64_t block = i >> 2;
    const Words words =
        Philox4x32({static_cast<uint32_t>(block), static_cast<uint32_t>(block >> 32), kTensor, 0},
                   {0x89abcdef, 0x01234567});
    EXPECT_EQ(PhiloxWord(kSeed, kTensor, i), words[i & 3]) << i;
  }
  EXPECT_NE(PhiloxWord(1, 0, 0), PhiloxWord(uint64_t{1} << 32, 0, 0));
  EXPECT_NE(PhiloxWord(1, 0, 0), PhiloxWord(1, 0, uint64_t{1} << 34));
}

TEST(Philox, Bf16Integer) {
  EXPECT_EQ(PhiloxBf16Integer(0), -254);
  EXPECT_EQ(PhiloxBf16Integer(0x7f7f7f7f), 254);
  EXPECT_EQ(PhiloxBf16Integer(0xffffffff), 254);  // the top bit of each field is not read
  EXPECT_EQ(PhiloxBf16Integer(0x80808080), -254);
  EXPECT_EQ(PhiloxBf16Integer(0x01020408), 15 - 254);
  EXPECT_EQ(PhiloxBf16Integer(0x7f000000), 127 - 254);
}

TEST(Philox, F32Integer) {
  EXPECT_EQ(PhiloxF32Integer(0), -65535);
  EXPECT_EQ(PhiloxF32Integer(0xffffffff), 65535);
  EXPECT_EQ(PhiloxF32Integer(0x00010002), 3 - 65535);
  EXPECT_EQ(PhiloxF32Integer(0xffff0000), 0);
  EXPECT_EQ(PhiloxF32Integer(0x0000ffff), 0);
}

// Every value that can come out is exact in its format, down to the smallest scales that a case
// uses: the subnormals.
TEST(Philox, EveryValueIsExact) {
  for (int n = -254; n <= 254; ++n) {
    for (const int exponent : {0, 7, 8, 126, 133}) {
      const double real = std::ldexp(static_cast<double>(n), -exponent);
      const float value = std::ldexp(static_cast<float>(n), -exponent);
      EXPECT_EQ(static_cast<double>(Widen(NarrowToBf16(value))), real) << n << ", " << exponent;
    }
  }
  for (int n = -65535; n <= 65535; ++n) {
    for (const int exponent : {0, 15, 126, 149}) {
      const float value = std::ldexp(static_cast<float>(n), -exponent);
      EXPECT_EQ(static_cast<double>(value), std::ldexp(static_cast<double>(n), -exponent))
          << n << ", " << exponent;
    }
  }
}

// Mean and variance over 2^20 words, against those of the sum of uniform fields: 0, and the number
// of fields times (m^2 - 1)/12 for m values each. Four standard errors of the mean, 1 % of the
// variance (its standard error is 0.1 %).
TEST(Philox, DistributionsAreTheSumsOfUniformFields) {
  constexpr int kCount = 1 << 20;
  struct Moments {
    int least = 0, greatest = 0;
    double sum = 0, squares = 0;
    void Add(int n) {
      least = std::min(least, n);
      greatest = std::max(greatest, n);
      sum += n;
      squares += static_cast<double>(n) * n;
    }
  } bf16, f32;
  for (int i = 0; i < kCount; ++i) {
    const uint32_t w = PhiloxWord(7, 1, static_cast<uint64_t>(i));
    bf16.Add(PhiloxBf16Integer(w));
    f32.Add(PhiloxF32Integer(w));
  }
  const auto check = [](const Moments& moments, double fields, double values, int limit) {
    const double variance = fields * (values * values - 1) / 12;
    EXPECT_LT(std::fabs(moments.sum / kCount), 4 * std::sqrt(variance / kCount));
    EXPECT_NEAR(moments.squares / kCount / variance, 1.0, 0.01);
    EXPECT_GE(moments.least, -limit);
    EXPECT_LE(moments.greatest, limit);
    EXPECT_LT(moments.least, -limit * 9 / 10);
    EXPECT_GT(moments.greatest, limit * 9 / 10);
  };
  check(bf16, 4, 128, 254);
  check(f32, 2, 65536, 65535);
}

}  // namespace
}  // namespace touchstone
