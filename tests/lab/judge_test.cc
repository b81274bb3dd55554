// The comparison itself: what it accepts, what it counts, and that a NaN fails.
#include "lab/judge.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <stdexcept>

#include "lab/errors.h"

namespace touchstone::lab {
namespace {

using exact::Enclosure;
using exact::Matrix;

// An op with one output of one row; nothing of it is run here.
const OpSpec& OneRow() {
  static const OpSpec op = {.title = "",
                            .formula = "",
                            .arguments = {{"y", Role::kOut, "TC"}},
                            .sizes = {{'T', 1}, {'C', 3}},
                            .cases = {},
                            .reason = ""};
  return op;
}

Case OneRowCase(Dtype recipe) { return {&OneRow(), recipe, "normal", OneRow().sizes, {}, 1}; }

Enclosure Around(std::initializer_list<double> values, double radius) {
  Matrix value(1, static_cast<int64_t>(values.size()));
  int64_t i = 0;
  for (const double v : values) value(0, i++) = v;
  return exact::Within(value, Matrix::Constant(1, value.cols(), radius));
}

Comparison Judged(Dtype dtype, std::initializer_list<float> got, const Enclosure& accepted) {
  Tensor y(dtype, {1, static_cast<int64_t>(got.size())});
  int64_t i = 0;
  for (const float x : got) y.SetReal(i++, x);
  Expected expected;
  expected.results.reals["y"] = accepted;
  return CompareWithExpected(OneRowCase(dtype), {{"y", y}}, expected);
}

TEST(Judge, AcceptsTheEndsOfTheIntervalAndNothingBeyond) {
  const Enclosure accepted = Around({1.0, 1.0, 1.0}, 0x1p-22);
  EXPECT_TRUE(Judged(Dtype::kF32, {1.0f, 1.0f + 0x1p-22f, 1.0f - 0x1p-22f}, accepted).Passed());
  const Comparison above = Judged(Dtype::kF32, {1.0f, 0x1.00000ap0f, 1.0f}, accepted);
  EXPECT_EQ(above.outside, 1);
  EXPECT_EQ(above.compared, 3);
  ASSERT_TRUE(above.first.has_value());
  EXPECT_EQ(above.first->at, "t=0 c=1");
  EXPECT_GT(above.largest_ratio, 1.0);
  EXPECT_EQ(Judged(Dtype::kF32, {1.0f, 1.0f, 1.0f - 0x1.8p-22f}, accepted).outside, 1);
}

TEST(Judge, NanIsNeverWithinABound) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  EXPECT_EQ(Judged(Dtype::kF32, {nan, nan, nan}, Around({0.0, 1.0, -1.0}, 1e30)).outside, 3);
}

TEST(Judge, NonFiniteValuesMustKeepTheirClass) {
  const double inf = std::numeric_limits<double>::infinity();
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const Enclosure accepted = Around({inf, -inf, static_cast<double>(nan)}, 1.0);
  EXPECT_TRUE(Judged(Dtype::kF32, {INFINITY, -INFINITY, nan}, accepted).Passed());
  EXPECT_EQ(Judged(Dtype::kF32, {0x1.fffffep127f, INFINITY, 0.0f}, accepted).outside, 3);
  EXPECT_EQ(Judged(Dtype::kF32, {nan, nan, INFINITY}, accepted).outside, 3);
  for (const float sign : {1.0f, -1.0f}) {
    const double signed_nan = std::copysign(std::numeric_limits<double>::quiet_NaN(), sign);
    const Comparison wrong = Judged(Dtype::kF32, {0.0f}, Around({signed_nan}, 1.0));
    ASSERT_TRUE(wrong.first.has_value());
    EXPECT_EQ(wrong.first->wanted, "NaN");
  }
}

// 2^127 (2 - 2^-8) is half way from the largest bf16 to what would come next: it rounds to
// infinity.
TEST(Judge, InfinityIsRightWhereTheIntervalReachesOverflow) {
  const Enclosure reaches = Around({0x1.fep127, 0x1.fep127, 1.0}, 0x1p119);
  EXPECT_EQ(Judged(Dtype::kBf16, {INFINITY, 0x1.fep127f, 1.0f}, reaches).outside, 0);
  const Enclosure stays = Around({0x1.fep127, 0x1.fep127, 1.0}, 0x1p118);
  EXPECT_EQ(Judged(Dtype::kBf16, {INFINITY, 0x1.fep127f, 1.0f}, stays).outside, 1);
}

TEST(Judge, DecidedWhereBothEndsRoundToOneValue) {
  // 1 + 2^-8 is the midpoint of 1 and the next bf16.
  const Enclosure accepted = Around({1.0, 1.0 + 0x1p-8, 1.0}, 0x1p-20);
  const Comparison result = Judged(Dtype::kBf16, {1.0f, 1.0f, 1.0f}, accepted);
  EXPECT_TRUE(result.Passed());
  EXPECT_EQ(result.decided, 2);
  // One unit below 1 is the smallest error that the decided elements reject.
  EXPECT_EQ(result.smallest_rejected, 0x1p-8);
}

TEST(Judge, UndecidableElementsAreCountedApart) {
  Enclosure accepted = Around({1.0, 2.0, 3.0}, 0.0);
  accepted.undecidable(0, 1) = true;
  const Comparison result = Judged(Dtype::kF32, {1.0f, 77.0f, 3.0f}, accepted);
  EXPECT_TRUE(result.Passed());
  EXPECT_EQ(result.compared, 2);
  EXPECT_EQ(result.undecidable, 1);
  accepted.undecidable.setConstant(true);
  EXPECT_FALSE(Judged(Dtype::kF32, {1.0f, 2.0f, 3.0f}, accepted).Passed()) << "nothing compared";
}

// A fault of the second reference must not pass as an element of which nothing can be said.
TEST(Judge, AnIntervalWithNanIsAnError) {
  Enclosure accepted = Around({1.0, 2.0, 3.0}, 0.0);
  accepted.upper(0, 2) = std::numeric_limits<double>::quiet_NaN();
  EXPECT_THROW(Judged(Dtype::kF32, {1.0f, 2.0f, 9.0f}, accepted), std::logic_error);
}

TEST(Judge, ZerosOfBothSignsAreOneValueInABound) {
  EXPECT_TRUE(Judged(Dtype::kF32, {0.0f, -0.0f, 0.0f}, Around({0.0, 0.0, 0.0}, 0.0)).Passed());
}

TEST(CompareBits, TellsSignsOfZeroApartAndNansTogether) {
  Tensor a(Dtype::kF32, {3}), b(Dtype::kF32, {3});
  for (Tensor* t : {&a, &b}) {
    t->SetReal(0, std::numeric_limits<float>::quiet_NaN());
    t->SetReal(1, 0.0f);
    t->SetReal(2, 5.0f);
  }
  a.SetReal(0, -std::numeric_limits<float>::quiet_NaN());
  EXPECT_TRUE(CompareBits("y", "C", a, b).Passed());
  a.SetReal(1, -0.0f);
  const Comparison result = CompareBits("y", "C", a, b);
  EXPECT_EQ(result.outside, 1);
  EXPECT_EQ(result.first->at, "c=1");
}

TEST(CompareBits, ShapesAndDtypesMustAgree) {
  const Tensor f32(Dtype::kF32, {2}), bf16(Dtype::kBf16, {2}), longer(Dtype::kF32, {3});
  EXPECT_FALSE(CompareBits("y", "C", f32, bf16).Passed());
  EXPECT_FALSE(CompareBits("y", "C", f32, longer).Passed());
  const Tensor empty(Dtype::kF32, {0});
  EXPECT_FALSE(CompareBits("y", "C", empty, empty).Passed()) << "nothing compared";
}

TEST(Choice, OnlyAcceptedValuesAreRight) {
  static const OpSpec op = {.title = "",
                            .formula = "",
                            .arguments = {{"chosen", Role::kOut, "T", Stored::kI64}},
                            .sizes = {{'T', 2}},
                            .cases = {},
                            .reason = ""};
  const Case c{&op, Dtype::kF32, "normal", op.sizes, {}, 1};
  Tensor chosen(Dtype::kI64, {2});
  chosen.values<int64_t>()[0] = 4;
  chosen.values<int64_t>()[1] = 7;
  Expected expected;
  expected.results.choices["chosen"] = {{4}, {2, 7}};
  const Comparison right = CompareWithExpected(c, {{"chosen", chosen}}, expected);
  EXPECT_TRUE(right.Passed());
  EXPECT_EQ(right.decided, 1);
  expected.results.choices["chosen"] = {{4}, {2}};
  EXPECT_EQ(CompareWithExpected(c, {{"chosen", chosen}}, expected).outside, 1);
}

TEST(Choice, AnExpertCountsOnceForAToken) {
  static const OpSpec op = {.title = "",
                            .formula = "",
                            .arguments = {{"chosen", Role::kOut, "TA", Stored::kI64}},
                            .sizes = {{'T', 2}, {'A', 2}}};
  const Case c{&op, Dtype::kF32, "normal", op.sizes, {}, 1};
  Tensor chosen(Dtype::kI64, {2, 2});
  Expected expected;  // experts 0 and 1 are equal: either order
  expected.results.choices["chosen"] = {{0, 1}, {1, 0}, {0, 1}, {1, 0}};
  for (const int64_t i : {1, 2}) chosen.values<int64_t>()[i] = 1;  // (0, 1), (1, 0)
  EXPECT_TRUE(CompareWithExpected(c, {{"chosen", chosen}}, expected).Passed());
  chosen.values<int64_t>()[2] = 0;  // (0, 0)
  EXPECT_EQ(CompareWithExpected(c, {{"chosen", chosen}}, expected).outside, 1);
}

}  // namespace
}  // namespace touchstone::lab
