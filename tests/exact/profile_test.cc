// Profiles: each choice does what its words say, on sums that a reader can redo; their text goes
// both ways, and bad text says what was expected.
#include "reference/exact/profile.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <stdexcept>

#include "reference/exact/second_reference.h"

namespace touchstone::exact {
namespace {

using Values = std::vector<float>;

float SumUnder(const std::string& text, const Values& x) {
  return ProfileFromText(text).Sum(static_cast<int64_t>(x.size()),
                                   [&](int64_t i) { return x[static_cast<size_t>(i)]; });
}

float DotUnder(const std::string& text, const Values& a, const Values& b) {
  return ProfileFromText(text).Dot(
      static_cast<int64_t>(a.size()), [&](int64_t i) { return a[static_cast<size_t>(i)]; },
      [&](int64_t i) { return b[static_cast<size_t>(i)]; });
}

// Values of both signs whose sum is small beside them, so that every order rounds it to other bits.
Values Uneven(size_t n) {
  Values x;
  for (size_t i = 0; i < n; ++i) {
    const double fraction = std::fmod(static_cast<double>(i + 1) * 0.6180339887498949, 1.0);
    x.push_back(static_cast<float>(fraction - 0.5));
  }
  return x;
}

TEST(Profile, PanelTextGoesBothWays) {
  std::set<std::string> names;
  for (const Profile& profile : ProfilePanel()) {
    EXPECT_TRUE(names.insert(profile.name).second) << profile.name << " is there twice";
    EXPECT_EQ(ProfileText(ProfileFromText(profile.name)), profile.name);
    EXPECT_EQ(Sound(ProfileFromText(profile.name)), Sound(profile)) << profile.name;
  }
  EXPECT_EQ(ProfilePanel().front().name, "contract");
  EXPECT_GT(names.size(), 100u);
}

TEST(Profile, HonestTextGoesBothWaysAndNamesAreRead) {
  for (const Profile& profile : HonestProfiles()) {
    EXPECT_EQ(ProfileText(ProfileFromText(ProfileText(profile))), ProfileText(profile));
    EXPECT_EQ(ProfileText(ProfileFromText(profile.name)), ProfileText(profile));
    EXPECT_TRUE(Sound(profile)) << profile.name;
  }
}

TEST(Profile, EveryWordGoesBothWays) {
  const std::string all =
      "order=blocked:24 inside=lanes:4 fold=pairs rest=first_lane:8 last=even fused=no "
      "partial=f16:block operands=tf32_truncated flush=both output=away functions=two_ulp exp=fast "
      "division=reciprocal root=once without=norm_unit,silu with=scores,probabilities";
  EXPECT_EQ(ProfileText(ProfileFromText(all)), all);
  // In any order of words; what the contract does needs none.
  EXPECT_EQ(ProfileText(ProfileFromText("fused=no order=lanes:8")), "order=lanes:8 fused=no");
  EXPECT_EQ(ProfileText(ProfileFromText("order=contract fused=yes flush=none")), "contract");
}

TEST(Profile, BadTextSaysWhatWasExpected) {
  const auto message = [](const std::string& text) -> std::string {
    try {
      ProfileFromText(text);
    } catch (const std::invalid_argument& error) {
      return error.what();
    }
    return "";
  };
  EXPECT_NE(message("order=sideways").find("pairwise"), std::string::npos);
  EXPECT_NE(message("ordre=pairwise").find("order, inside"), std::string::npos);
  EXPECT_NE(message("sideways").find("KEY=VALUE"), std::string::npos);
  EXPECT_NE(message("fused=no fused=no").find("twice"), std::string::npos);
  EXPECT_NE(message("without=nowhere").find("norm_unit"), std::string::npos);
  EXPECT_NE(message("order=lanes:12").find("power of two"), std::string::npos);
  EXPECT_NE(message("inside=lanes:4").find("blocked"), std::string::npos);
  EXPECT_NE(message("order=lanes:8 rest=after_fold:12").find("multiple"), std::string::npos);
  for (const char* text : {"",
                           " ",
                           "order=",
                           "order=lanes",
                           "order=lanes:0",
                           "order=lanes:-8",
                           "order=lanes:8x",
                           "order=lanes:99999999999999999999",
                           "order=lanes:131072",
                           "order=ascending:8",
                           "order=blocked:0",
                           "inside=lanes:0",
                           "partial=f32:block",
                           "partial=bf16:",
                           "flush=outputs",
                           "without=",
                           "without=silu,",
                           "without=scores",
                           "with=silu",
                           "last=even",
                           "order=blocked:12 last=even",
                           "rest=joins:8",
                           "=",
                           "fused"}) {
    EXPECT_NE(message(text), "") << "'" << text << "'";
  }
}

TEST(Profile, LanesFoldInHalvesInPairsOrOneByOne) {
  const Values x = {0x1p24f, 1.0f, 1.0f, 1.0f};
  EXPECT_EQ(SumUnder("order=lanes:4", x), (0x1p24f + 1.0f) + (1.0f + 1.0f));
  EXPECT_EQ(SumUnder("order=lanes:4 fold=ascending", x), 0x1p24f);
  const Values y = {0x1p24f, 1.0f, -0x1p24f, 1.0f};
  EXPECT_EQ(SumUnder("order=lanes:4", y), 2.0f);
  EXPECT_EQ(SumUnder("order=lanes:4 fold=pairs", y), (0x1p24f + 1.0f) + (-0x1p24f + 1.0f));
}

TEST(Profile, WhatIsLeftOfARoundJoinsItsLaneTheFirstOrTheFoldedSum) {
  // Lanes 2^24 and -2^24, then 1 and 1.
  const Values x = {0x1p24f, -0x1p24f, 1.0f};
  EXPECT_EQ(SumUnder("order=lanes:2", x), 0.0f);
  EXPECT_EQ(SumUnder("order=lanes:2 rest=after_fold", x), 1.0f);
  // A round of four: the last two 1s join lanes 0 and 1, both lane 0, or the sum one by one.
  const Values y = {0.0f, 0x1p24f, 0.0f, 0.0f, 1.0f, 1.0f};
  EXPECT_EQ(SumUnder("order=lanes:2", y), 0x1p24f);
  EXPECT_EQ(SumUnder("order=lanes:2 rest=first_lane:4", y), 0x1p24f + 2.0f);
  EXPECT_EQ(SumUnder("order=lanes:2 rest=after_fold:4", y), 0x1p24f);
}

// The sum of ones with a 2^24 at the start of each expected block loses all others of that block
// but for what was summed apart; so the total tells where the blocks begin.
TEST(Profile, LastBlocksAreShortHalvedOrEven) {
  const auto total = [](const std::string& last, int64_t n) {
    return SumUnder("order=blocked:16 last=" + last, [n] {
      Values x(static_cast<size_t>(n), 1.0f);
      x[0] = 0x1p24f;
      return x;
    }());
  };
  // First block lost, each later one counts as a whole number of pairs.
  EXPECT_EQ(total("short", 27), 0x1p24f + 12.0f);        // 16, 11: 11 is a tie, to even
  EXPECT_EQ(total("half", 27), 0x1p24f + 12.0f);         // 16, 11: 13 up to a multiple of 8
  EXPECT_EQ(total("larger_half", 27), 0x1p24f + 12.0f);  // 14, 13: a tie, to even
  EXPECT_EQ(total("short", 24), 0x1p24f + 8.0f);         // 16, 8
  EXPECT_EQ(total("half", 24), 0x1p24f + 8.0f);          // 16, 8
  EXPECT_EQ(total("larger_half", 24), 0x1p24f + 12.0f);  // 12, 12
  EXPECT_EQ(total("even", 18), 0x1p24f + 2.0f);          // 16, 2
  EXPECT_EQ(total("even", 32), 0x1p24f + 16.0f);         // 16, 16
  EXPECT_EQ(total("half", 18), 0x1p24f + 2.0f);          // 16, 2
  EXPECT_EQ(total("larger_half", 18), 0x1p24f + 8.0f);   // 9, 9: a tie, to even
}

TEST(Profile, BlocksMayHaveLanesInside) {
  // Blocks of 4 in two lanes: (2^24 + 1) + (1 + 1), then the rest.
  EXPECT_EQ(SumUnder("order=blocked:4 inside=lanes:2", {0x1p24f, 1.0f, 1.0f, 1.0f, 2.0f}),
            0x1p24f + 4.0f);
  EXPECT_EQ(SumUnder("order=blocked:4", {0x1p24f, 1.0f, 1.0f, 1.0f, 2.0f}), 0x1p24f + 2.0f);
}

TEST(Profile, PartialSumsAreRoundedAtEverySumOrAtBlocks) {
  // 256 + 1 is lost in bf16, 2048 + 1 in binary16; a block of 256 ones is not.
  Values ones(513, 1.0f);
  EXPECT_EQ(SumUnder("order=ascending partial=bf16", ones), 256.0f);
  EXPECT_EQ(SumUnder("order=blocked:256 partial=bf16:block", ones), 512.0f);
  EXPECT_EQ(SumUnder("order=ascending partial=f16", Values(4000, 1.0f)), 2048.0f);
  EXPECT_EQ(SumUnder("order=ascending partial=f16", {65504.0f, 16.0f}), INFINITY);
  EXPECT_EQ(SumUnder("order=ascending partial=f16", {65504.0f, 15.0f}), 65504.0f);
  EXPECT_EQ(SumUnder("order=ascending partial=f16", {0x1.8p-24f}), 0x1p-23f);  // subnormal, a tie
}

TEST(Profile, OperandsAreReadInTf32OrBf16) {
  const Values x = {1.0f + 0x1.8p-11f}, one = {1.0f};
  EXPECT_EQ(DotUnder("operands=tf32", x, one), 1.0f + 0x1p-10f);
  EXPECT_EQ(DotUnder("operands=tf32", {1.0f + 0x1p-11f}, one), 1.0f + 0x1p-10f);  // a tie, away
  EXPECT_EQ(DotUnder("operands=tf32_truncated", x, one), 1.0f);
  EXPECT_EQ(DotUnder("operands=bf16", {1.0f + 0x1.8p-8f}, one), 1.0f + 0x1p-7f);
  // Sums of squares are no contraction of two tensors.
  const auto third = [](int64_t) { return 1.0f / 3.0f; };
  EXPECT_EQ(ProfileFromText("operands=tf32").SumOfSquares(1, third),
            Profile{}.SumOfSquares(1, third));
}

TEST(Profile, SubnormalsAreFlushedWhereReadOrMade) {
  EXPECT_EQ(DotUnder("flush=results", {0x1p-100f}, {0x1p-30f}), 0.0f);
  EXPECT_EQ(DotUnder("contract", {0x1p-100f}, {0x1p-30f}), 0x1p-130f);
  EXPECT_EQ(SumUnder("flush=results", {0x1.8p-126f, -0x1p-126f}), 0.0f);
  Operands<FloatMatrix> in;
  in.reals["a"] = FloatMatrix::Constant(1, 1, 0x1p-130f);
  in.reals["b"] = FloatMatrix::Constant(1, 1, 0x1p-126f);
  const auto sum = [&](const std::string& text) {
    Results<FloatMatrix> out;
    Evaluate("residual_add", ProfileFromText(text), in, &out);
    return out.reals.at("y")(0, 0);
  };
  EXPECT_EQ(sum("contract"), 0x1p-126f + 0x1p-130f);
  EXPECT_EQ(sum("flush=inputs"), 0x1p-126f);
  EXPECT_EQ(sum("flush=results"), 0x1p-126f + 0x1p-130f);
}

TEST(Profile, OutputsAreRoundedToEvenTruncatedOrAway) {
  const float tie = 1.0f + 0x1p-8f, above = 1.0f + 0x1.8p-7f;
  EXPECT_EQ(Profile{}.Output(tie, Dtype::kBf16), 1.0f);
  EXPECT_EQ(ProfileFromText("output=away").Output(tie, Dtype::kBf16), 1.0f + 0x1p-7f);
  EXPECT_EQ(ProfileFromText("output=truncated").Output(above, Dtype::kBf16), 1.0f + 0x1p-7f);
  EXPECT_EQ(Profile{}.Output(above, Dtype::kBf16), 1.0f + 0x1p-6f);
  EXPECT_EQ(ProfileFromText("output=truncated").Output(above, Dtype::kF32), above);
  EXPECT_TRUE(std::isnan(ProfileFromText("output=away").Output(NAN, Dtype::kBf16)));
}

TEST(Profile, DivisionsAndRootsMayBeRoundedOtherwise) {
  EXPECT_EQ(ProfileFromText("division=reciprocal").Divide(5.0f, 3.0f), 5.0f * (1.0f / 3.0f));
  int other = 0;
  for (int i = 1; i < 200; ++i) {
    const float x = static_cast<float>(i);
    const float once = ProfileFromText("root=once").ReciprocalRoot(x);
    EXPECT_EQ(once, static_cast<float>(1.0 / std::sqrt(static_cast<double>(i))));
    other += once != Profile{}.ReciprocalRoot(x) ? 1 : 0;
  }
  EXPECT_GT(other, 0);
}

TEST(Profile, EveryOrderOfThePanelHasBitsOfItsOwnOnLongSums) {
  // Long enough to reach beyond every block: two orders that agree here are one.
  const Values x = Uneven(3001);
  std::map<float, std::vector<std::string>> by_bits;
  for (const Profile& profile : ProfilePanel()) {
    if (!Sound(profile) || !profile.fused) continue;
    by_bits[SumUnder(profile.name, x)].push_back(profile.name);
  }
  EXPECT_GT(by_bits.size(), 30u) << "most orders give the same sum";
}

}  // namespace
}  // namespace touchstone::exact
