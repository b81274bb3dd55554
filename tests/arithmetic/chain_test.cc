// Rule N3. Each case has a result that another order, another slice length or an unfused product
// would not give.
#include "reference/arithmetic/chain.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <limits>
#include <vector>

#include "reference/formats/philox.h"

namespace touchstone {
namespace {

constexpr float kInf = std::numeric_limits<float>::infinity();
constexpr float kMost = std::numeric_limits<float>::max();
constexpr float kLeast = 0x1p-149f;

uint32_t BitsOf(float x) { return std::bit_cast<uint32_t>(x); }

float ChainOf(const std::vector<float>& a, const std::vector<float>& b) {
  return Chain(
      static_cast<int64_t>(a.size()), [&](int64_t k) { return a[static_cast<size_t>(k)]; },
      [&](int64_t k) { return b[static_cast<size_t>(k)]; });
}

// The sum of the terms themselves: each times 1.
float ChainOf(const std::vector<float>& a) {
  return ChainOf(a, std::vector<float>(a.size(), 1.0f));
}

TEST(Chain, NothingIsPlusZero) { EXPECT_EQ(BitsOf(ChainOf({})), BitsOf(0.0f)); }

// 2^24 + 1 is a tie that goes back to 2^24: every 1 added to it is lost, and kept where it is
// summed in a slice of its own.
TEST(Chain, SlicesOf512) {
  const auto large_then_ones = [](size_t K) {
    std::vector<float> terms(K, 1.0f);
    terms[0] = 0x1p24f;
    return ChainOf(terms);
  };
  EXPECT_EQ(large_then_ones(512), 0x1p24f);
  EXPECT_EQ(large_then_ones(513), 0x1p24f);         // a slice with one 1, lost as the total grows
  EXPECT_EQ(large_then_ones(514), 0x1p24f + 2);     // one chain, or slices of 1024: 2^24
  EXPECT_EQ(large_then_ones(1024), 0x1p24f + 512);  // slices of 256: 2^24 + 768
  EXPECT_EQ(large_then_ones(1300), 0x1p24f + 788);
}

// The last k of a slice belongs to it and the first of the next does not.
TEST(Chain, TheEdgeOfASlice) {
  std::vector<float> terms(1024, 0.0f);
  terms[0] = 0x1p24f;
  terms[510] = terms[511] = 1.0f;
  EXPECT_EQ(ChainOf(terms), 0x1p24f);
  terms[510] = 0.0f;
  terms[512] = 1.0f;
  EXPECT_EQ(ChainOf(terms), 0x1p24f);
  terms[511] = 0.0f;
  terms[513] = 1.0f;
  EXPECT_EQ(ChainOf(terms), 0x1p24f + 2);
}

TEST(Chain, SliceSumsAreAddedInAscendingOrder) {
  std::vector<float> terms(3 * 512, 0.0f);
  terms[0] = 0x1p24f;
  terms[512] = terms[1024] = 1.0f;
  EXPECT_EQ(ChainOf(terms), 0x1p24f);  // descending, or as a tree from the right: 2^24 + 2
  terms[0] = terms[512] = 1.0f;
  terms[1024] = 0x1p24f;
  EXPECT_EQ(ChainOf(terms), 0x1p24f + 2);  // descending: 2^24
}

TEST(Chain, AscendingInASlice) {
  EXPECT_EQ(ChainOf({1.0f, 1.0f, 0x1p24f}), 0x1p24f + 2);  // descending, or pairwise: 2^24
  EXPECT_EQ(ChainOf({0x1p24f, 1.0f, 1.0f, -0x1p24f}), 0.0f);
}

// (1 + 2^-12)^2 = 1 + 2^-11 + 2^-24, whose last term one rounding of the product would lose.
TEST(Chain, ProductsAreFused) {
  const float root = 1.0f + 0x1p-12f;
  EXPECT_EQ(ChainOf({-1.0f, root}, {1.0f + 0x1p-11f, root}), 0x1p-24f);
  // A product beyond the range, brought back by the sum.
  EXPECT_EQ(ChainOf({-kMost, 0x1p64f}, {1.0f, 0x1p64f}), 0x1p104f);
}

TEST(Chain, SlicesAreJoinedByARoundedSum) {
  std::vector<float> a(513, 0.0f), b(513, 0.0f);
  a[0] = -1.0f;
  b[0] = 1.0f + 0x1p-11f;
  a[512] = b[512] = 1.0f + 0x1p-12f;
  EXPECT_EQ(ChainOf(a, b), 0.0f);  // the product rounds in its own slice; one chain: 2^-24
}

TEST(Chain, SignsOfZero) {
  EXPECT_EQ(BitsOf(ChainOf({-0.0f})), BitsOf(0.0f));  // fma(-0, 1, +0) = +0
  EXPECT_EQ(BitsOf(ChainOf({-1.0f}, {0.0f})), BitsOf(0.0f));
  EXPECT_EQ(BitsOf(ChainOf({-0.0f, -0.0f, -0.0f})), BitsOf(0.0f));
  EXPECT_EQ(BitsOf(ChainOf(std::vector<float>(1024, -0.0f))), BitsOf(0.0f));
  EXPECT_EQ(BitsOf(ChainOf({1.0f, -1.0f})), BitsOf(0.0f));
  // A negative product too small for binary32 is -0, and so is a first slice of it: it is the
  // total, not added to one that started at +0.
  EXPECT_EQ(BitsOf(ChainOf({-kLeast}, {kLeast})), BitsOf(-0.0f));
}

TEST(Chain, SubnormalsAreKept) {
  EXPECT_EQ(ChainOf({kLeast, kLeast, kLeast}), 3 * kLeast);
  EXPECT_EQ(ChainOf({0x1p-75f}, {0x1p-74f}), kLeast);
  EXPECT_EQ(ChainOf({0x1p-75f}, {0x1p-75f}), 0.0f);  // half the smallest: to even
  EXPECT_EQ(ChainOf({kLeast, 0x1p-75f}, {1.0f, 0x1p-75f}), 2 * kLeast);  // 1.5: to even, fused
}

TEST(Chain, InfinitiesAndNan) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  EXPECT_EQ(ChainOf({kMost, kMost, -kMost, -kMost}), kInf);  // nothing comes back from infinity
  EXPECT_EQ(ChainOf({kInf, 1.0f}), kInf);
  EXPECT_EQ(ChainOf({1.0f, -kInf}), -kInf);
  EXPECT_TRUE(std::isnan(ChainOf({kInf, -kInf})));
  EXPECT_TRUE(std::isnan(ChainOf({kInf}, {0.0f})));
  for (const size_t at : {0u, 511u, 512u, 1299u}) {
    std::vector<float> terms(1300, 1.0f);
    terms[at] = nan;
    EXPECT_TRUE(std::isnan(ChainOf(terms))) << at;
  }
}

TEST(Chain, EveryFactorIsReadOnceInOrder) {
  std::vector<int64_t> read_a, read_b;
  const auto reads = [](std::vector<int64_t>& read) {
    return [&read](int64_t k) {
      read.push_back(k);
      return 1.0f;
    };
  };
  EXPECT_EQ(Chain(1300, reads(read_a), reads(read_b)), 1300.0f);
  ASSERT_EQ(read_a.size(), 1300u);
  for (int64_t k = 0; k < 1300; ++k) EXPECT_EQ(read_a[static_cast<size_t>(k)], k);
  EXPECT_EQ(read_a, read_b);
}

// The rule written the other way round: all slice sums first, then their sum.
TEST(Chain, EqualsItsTextOnGeneratedFactors) {
  for (const int64_t K : {1, 2, 511, 512, 513, 1023, 1024, 1025, 5120, 8192}) {
    std::vector<float> a, b;
    for (int64_t k = 0; k < K; ++k) {
      const auto i = static_cast<uint64_t>(k);
      a.push_back(std::ldexp(static_cast<float>(PhiloxF32Integer(PhiloxWord(1, 0, i))), -15));
      b.push_back(std::ldexp(static_cast<float>(PhiloxF32Integer(PhiloxWord(1, 1, i))), -15));
    }
    std::vector<float> sums(static_cast<size_t>((K + 511) / 512), 0.0f);
    for (size_t k = 0; k < a.size(); ++k) sums[k / 512] = std::fma(a[k], b[k], sums[k / 512]);
    float total = sums[0];
    for (size_t i = 1; i < sums.size(); ++i) total = total + sums[i];
    EXPECT_EQ(BitsOf(ChainOf(a, b)), BitsOf(total)) << K;
  }
}

}  // namespace
}  // namespace touchstone
