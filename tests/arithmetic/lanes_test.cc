// Rules N4 and N6. Each case has a result that another number of lanes, another order of folding or
// an unfused square would not give.
#include "reference/arithmetic/lanes.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <limits>
#include <map>
#include <vector>

#include "reference/formats/philox.h"

namespace touchstone {
namespace {

constexpr float kInf = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

uint32_t BitsOf(float x) { return std::bit_cast<uint32_t>(x); }

auto Of(const std::vector<float>& row) {
  return [&row](int64_t i) { return row[static_cast<size_t>(i)]; };
}
float SumOf(const std::vector<float>& row) { return Sum(std::ssize(row), Of(row)); }
float SquaresOf(const std::vector<float>& row) { return SumOfSquares(std::ssize(row), Of(row)); }
float AbsMaxOf(const std::vector<float>& row) { return AbsMax(std::ssize(row), Of(row)); }

// A row of zeros but for the given elements.
std::vector<float> Row(size_t extent, const std::map<size_t, float>& elements) {
  std::vector<float> row(extent, 0.0f);
  for (const auto& [i, value] : elements) row[i] = value;
  return row;
}

TEST(Lanes, AnEmptyRowIsPlusZero) {
  EXPECT_EQ(BitsOf(SumOf({})), BitsOf(0.0f));
  EXPECT_EQ(BitsOf(SquaresOf({})), BitsOf(0.0f));
  EXPECT_EQ(BitsOf(AbsMaxOf({})), BitsOf(0.0f));
}

// 2^24 + 1 is a tie that goes back to 2^24: a 1 is lost where it meets 2^24 alone, and kept where
// it meets another 1 first.
TEST(Lanes, ThereAre256) {
  // In one lane with 2^24, one after the other: lost. With 512 lanes they meet each other first.
  EXPECT_EQ(SumOf(Row(1024, {{0, 0x1p24f}, {256, 1.0f}, {768, 1.0f}})), 0x1p24f);
  // In lane 128, where they meet. With 128 lanes, or 64 or 32, both join lane 0.
  EXPECT_EQ(SumOf(Row(512, {{0, 0x1p24f}, {128, 1.0f}, {384, 1.0f}})), 0x1p24f + 2);
}

TEST(Lanes, ElementsJoinAscending) {
  EXPECT_EQ(SumOf(Row(769, {{0, 1.0f}, {256, 1.0f}, {512, 0x1p24f}})), 0x1p24f + 2);
  EXPECT_EQ(SumOf(Row(769, {{0, 0x1p24f}, {256, 1.0f}, {512, 1.0f}})), 0x1p24f);
}

TEST(Lanes, TheFoldHalvesFrom128) {
  for (size_t half = 64; half >= 1; half /= 2) {
    // Lanes half and 3 half meet in the fold before lane half meets lane 0.
    EXPECT_EQ(SumOf(Row(256, {{0, 0x1p24f}, {half, 1.0f}, {3 * half, 1.0f}})), 0x1p24f + 2) << half;
    // Lane 2 half meets lane 0 before lane half does: neither 1 meets the other.
    EXPECT_EQ(SumOf(Row(256, {{0, 0x1p24f}, {half, 1.0f}, {2 * half, 1.0f}})), 0x1p24f) << half;
  }
}

// x0^2 = 2^-24 and x1^2 = 1 + 2^-11 + 2^-24 in one lane: fused 1 + 2^-11 + 2^-23; rounded on its
// own the second loses its last term, and the sum the first.
TEST(Lanes, SquaresAreFused) {
  EXPECT_EQ(SquaresOf(Row(257, {{0, 0x1p-12f}, {256, 1.0f + 0x1p-12f}})),
            1.0f + 0x1p-11f + 0x1p-23f);
  // In different lanes each square is rounded, and so is their sum.
  EXPECT_EQ(SquaresOf(Row(257, {{0, 0x1p-12f}, {1, 1.0f + 0x1p-12f}})), 1.0f + 0x1p-11f);
}

TEST(Lanes, SquaresAtTheEndsOfTheRange) {
  EXPECT_EQ(SquaresOf({0x1p64f}), kInf);
  EXPECT_EQ(SquaresOf({-kInf}), kInf);
  EXPECT_EQ(SquaresOf({0x1p-75f}), 0.0f);              // half the smallest: a tie, to even
  EXPECT_EQ(SquaresOf({0x1.000002p-75f}), 0x1p-149f);  // a little more
  // One and a half of the smallest, in one rounding: a tie, to even. Unfused the half is lost.
  EXPECT_EQ(SquaresOf(Row(257, {{0, 0x1.6a09e6p-75f}, {256, 0x1p-75f}})), 0x1p-148f);
}

TEST(Lanes, SignsOfZero) {
  EXPECT_EQ(BitsOf(SumOf({-0.0f})), BitsOf(0.0f));  // +0 + -0
  EXPECT_EQ(BitsOf(SumOf(std::vector<float>(700, -0.0f))), BitsOf(0.0f));
  EXPECT_EQ(BitsOf(AbsMaxOf({-0.0f})), BitsOf(0.0f));
  EXPECT_EQ(BitsOf(SquaresOf({-0.0f, -0.0f})), BitsOf(0.0f));
}

TEST(Lanes, ANanAnywhereIsTheResult) {
  for (const size_t at : {0u, 1u, 128u, 255u, 256u, 599u}) {
    std::vector<float> row(600, 1.0f);
    row[at] = kNan;
    row[(at + 256) % 600] = kInf;
    EXPECT_TRUE(std::isnan(SumOf(row))) << at;
    EXPECT_TRUE(std::isnan(SquaresOf(row))) << at;
    EXPECT_TRUE(std::isnan(AbsMaxOf(row))) << at;
  }
  EXPECT_TRUE(std::isnan(SumOf({kInf, -kInf})));
}

TEST(Lanes, AbsMaxIsTheLargestMagnitude) {
  EXPECT_EQ(AbsMaxOf({-3.0f, 2.0f}), 3.0f);
  EXPECT_EQ(AbsMaxOf({-kInf, 2.0f}), kInf);
  EXPECT_EQ(AbsMaxOf({-0x1p-149f, 0.0f}), 0x1p-149f);
  for (size_t at = 0; at < 600; ++at) {
    std::vector<float> row(600, -1.0f);
    row[at] = -2.0f;
    EXPECT_EQ(AbsMaxOf(row), 2.0f) << at;
  }
}

TEST(Maximum, ANanBeatsAll) {
  for (const float other : {0.0f, -1.0f, kInf, -kInf, kNan}) {
    EXPECT_TRUE(std::isnan(Maximum(kNan, other))) << other;
    EXPECT_TRUE(std::isnan(Maximum(other, kNan))) << other;
    EXPECT_TRUE(std::isnan(Maximum(-kNan, other))) << other;
  }
}

TEST(Maximum, OfNumbers) {
  const float ascending[] = {-kInf, -1.0f, -0x1p-149f, 0.0f, 0x1p-149f, 1.0f, kInf};
  for (const float a : ascending) {
    for (const float b : ascending) {
      EXPECT_EQ(Maximum(a, b), a < b ? b : a);
      EXPECT_EQ(Maximum(a, b), Maximum(b, a));
    }
  }
  EXPECT_EQ(Maximum(-0.0f, 0.0f), 0.0f);  // either zero
  EXPECT_EQ(Maximum(0.0f, -0.0f), 0.0f);
}

TEST(Lanes, EveryElementIsReadAndJoinedInOrder) {
  std::vector<int64_t> read;
  ReduceInLanes(
      1000, [&read](float lane, int64_t i) { return read.push_back(i), lane; },
      [](float low, float) { return low; });
  ASSERT_EQ(read.size(), 1000u);
  for (int64_t i = 0; i < 1000; ++i) EXPECT_EQ(read[static_cast<size_t>(i)], i);
}

// The rule written the other way round: lane by lane, then a fold that names its pairs.
float SumByText(const std::vector<float>& row, size_t lane, size_t lanes) {
  if (lanes < 256) {
    const float low = SumByText(row, lane, 2 * lanes);
    return low + SumByText(row, lane + lanes, 2 * lanes);
  }
  float sum = 0.0f;
  for (size_t i = lane; i < row.size(); i += 256) sum = std::fma(row[i], row[i], sum);
  return sum;
}

TEST(Lanes, EqualTheirTextOnGeneratedRows) {
  for (const size_t extent : {1u, 2u, 255u, 256u, 257u, 511u, 512u, 700u, 5120u}) {
    std::vector<float> row;
    for (size_t i = 0; i < extent; ++i) {
      row.push_back(std::ldexp(static_cast<float>(PhiloxF32Integer(PhiloxWord(1, 0, i))), -15));
    }
    EXPECT_EQ(BitsOf(SquaresOf(row)), BitsOf(SumByText(row, 0, 1))) << extent;
  }
}

}  // namespace
}  // namespace touchstone
