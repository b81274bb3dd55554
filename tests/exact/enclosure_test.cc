// The enclosure's building blocks hold what binary32 arithmetic in any order may give, and no more
// than their derivations say.
#include "reference/exact/enclosure.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "reference/exact/profile.h"
#include "reference/formats/philox.h"

namespace touchstone::exact {
namespace {

Matrix Random(int64_t rows, int64_t cols, uint32_t tensor) {
  Matrix x(rows, cols);
  for (int64_t i = 0; i < x.size(); ++i) {
    x.data()[i] =
        std::ldexp(PhiloxF32Integer(PhiloxWord(7, tensor, static_cast<uint64_t>(i))), -15);
  }
  return x;
}

TEST(Enclosure, ContractHoldsEveryHonestOrder) {
  const int64_t K = 700;
  const Matrix a = Random(4, K, 1), b = Random(5, K, 2);
  const Enclosure y = Contract(Exactly(a), Exactly(b));
  double largest = 0.0;
  for (const Profile& profile : HonestProfiles()) {
    for (int64_t i = 0; i < 4; ++i) {
      for (int64_t j = 0; j < 5; ++j) {
        const double sum = static_cast<double>(profile.Dot(
            K, [&](int64_t k) { return static_cast<float>(a(i, k)); },
            [&](int64_t k) { return static_cast<float>(b(j, k)); }));
        EXPECT_LE(y.lower(i, j), sum) << profile.name;
        EXPECT_GE(y.upper(i, j), sum) << profile.name;
        largest =
            std::max(largest, std::fabs(sum - y.value(i, j)) / (y.upper(i, j) - y.value(i, j)));
      }
    }
  }
  EXPECT_GT(largest, 1e-3) << "the bound has nothing to do with the errors";
}

TEST(Enclosure, ContractCarriesTheWidthOfItsInputs) {
  const Enclosure a = Within(Matrix::Constant(1, 2, 3.0), Matrix::Constant(1, 2, 0.5));
  const Enclosure b = Exactly(Matrix::Constant(1, 2, 2.0));
  const Enclosure y = Contract(a, b);
  EXPECT_LE(y.lower(0, 0), 10.0);
  EXPECT_GE(y.upper(0, 0), 14.0);
  EXPECT_NEAR(y.upper(0, 0), 14.0, 1e-4);
}

TEST(Enclosure, SumsThatMayOverflowAreUndecidable) {
  const Enclosure a = Exactly(Matrix::Constant(1, 2, 0x1p100));
  const Enclosure b = Exactly(Matrix::Constant(1, 2, 0x1p27));
  EXPECT_TRUE(Contract(a, b).undecidable(0, 0));
  EXPECT_FALSE(Contract(a, Exactly(Matrix::Constant(1, 2, 0x1p20))).undecidable(0, 0));
}

TEST(Enclosure, ElementwiseOperationsTakeTheCorners) {
  const Enclosure a = Within(Matrix::Constant(1, 1, 1.0), Matrix::Constant(1, 1, 2.0));   // [-1, 3]
  const Enclosure b = Within(Matrix::Constant(1, 1, -1.0), Matrix::Constant(1, 1, 4.0));  // [-5, 3]
  const Enclosure product = Multiply(a, b, 0.0);
  EXPECT_EQ(product.lower(0, 0), -15.0);
  EXPECT_EQ(product.upper(0, 0), 9.0);
  EXPECT_EQ(Add(a, b, 0.0).lower(0, 0), -6.0);
  EXPECT_EQ(Subtract(a, b, 0.0).upper(0, 0), 8.0);
  EXPECT_TRUE(Divide(a, b).undecidable(0, 0)) << "the divisor may be zero";
}

// 1/3 is no binary32 number: the end moves by half a unit. 1 is one: rounding never crosses it.
TEST(Enclosure, OneRoundingMovesAnEndByHalfAUnitUnlessItIsABinary32Number) {
  const Enclosure third = Rounded(Exactly(Matrix::Constant(1, 1, 1.0 / 3.0)));
  EXPECT_GE(third.upper(0, 0), (1.0 / 3.0) * (1.0 + 0x1p-24));
  EXPECT_LT(third.upper(0, 0), (1.0 / 3.0) * (1.0 + 0x1.01p-24));
  const Enclosure one = Rounded(Exactly(Matrix::Constant(1, 1, 1.0)));
  EXPECT_EQ(one.upper(0, 0), 1.0);
  EXPECT_EQ(one.lower(0, 0), 1.0);
  // A function within 2 ulp is no IEEE operation: its error stays.
  EXPECT_GT(Rounded(Exactly(Matrix::Constant(1, 1, 1.0)), kFunctionError).upper(0, 0), 1.0);
}

TEST(Enclosure, SubnormalResultsRoundByHalfTheSmallestOne) {
  const Enclosure tiny = Rounded(Exactly(Matrix::Constant(1, 1, 0x1.8p-149)));
  EXPECT_GE(tiny.upper(0, 0), 0x1p-148);
  EXPECT_LE(tiny.lower(0, 0), 0x1p-149);
}

// 4096 products of 1s and 3s: every order is exact. One product of 2^-30 more, and it is not.
TEST(Enclosure, SumsThatAreExactInEveryOrderHaveNoError) {
  Matrix a = Matrix::Constant(1, 4096, 3.0), b = Matrix::Constant(1, 4096, 1.0);
  EXPECT_EQ(Contract(Exactly(a), Exactly(b)).upper(0, 0), 3.0 * 4096);
  a(0, 7) = 0x1p-30;
  EXPECT_GT(Contract(Exactly(a), Exactly(b)).upper(0, 0), 3.0 * 4095 + 0x1p-30);
}

TEST(Enclosure, PlaceRoundsTheEndsAndTheHullHoldsBoth) {
  const Enclosure x = Within(Matrix::Constant(1, 1, 1.0 + 0x1p-9), Matrix::Constant(1, 1, 0x1p-20));
  EXPECT_EQ(AtPlace(x, Dtype::kBf16, Place::kOn).upper(0, 0), 1.0);
  EXPECT_EQ(AtPlace(x, Dtype::kBf16, Place::kOff).upper(0, 0), x.upper(0, 0));
  const Enclosure hull = AtPlace(x, Dtype::kBf16, Place::kHull);
  EXPECT_EQ(hull.lower(0, 0), 1.0);
  EXPECT_EQ(hull.upper(0, 0), x.upper(0, 0));
  EXPECT_EQ(AtPlace(x, Dtype::kF32, Place::kOn).upper(0, 0), x.upper(0, 0));
}

TEST(Enclosure, NonFiniteValuesKeepTheirClass) {
  const double inf = std::numeric_limits<double>::infinity();
  Matrix values(1, 2);
  values << inf, 1.0;
  const Enclosure y = Add(Exactly(values), Exactly(Matrix::Constant(1, 2, 1.0)));
  EXPECT_EQ(y.lower(0, 0), inf);
  EXPECT_TRUE(std::isfinite(y.upper(0, 1)));
}

TEST(Profile, OrdersGiveDifferentBitsAndTheContractGivesTheChain) {
  // 2^24, then ones: ascending loses every one; descending keeps them all.
  const auto x = [](int64_t i) { return i == 0 ? 0x1p24f : 1.0f; };
  Profile ascending{.order = Order::kAscending}, descending{.order = Order::kDescending};
  EXPECT_EQ(ascending.Sum(1001, x), 0x1p24f);
  EXPECT_EQ(descending.Sum(1001, x), 0x1p24f + 1000.0f);
  const auto one = [](int64_t) { return 1.0f; };
  // Slices of 512: the second slice's ones are summed before they meet 2^24.
  EXPECT_EQ(Profile{}.Dot(1024, x, one), 0x1p24f + 512.0f);
}

TEST(Profile, UnfusedLosesWhatFusedKeeps) {
  const auto a = [](int64_t i) { return i == 0 ? -0x1.002p+0f : 0x1.001p+0f; };
  const auto b = [](int64_t i) { return i == 0 ? 1.0f : 0x1.001p+0f; };
  Profile fused{.order = Order::kAscending}, unfused{.order = Order::kAscending, .fused = false};
  EXPECT_EQ(fused.Dot(2, a, b), 0x1p-24f);
  EXPECT_EQ(unfused.Dot(2, a, b), 0.0f);
}

TEST(Profile, TenHonestKernelsOfTenNames) {
  std::set<std::string> names;
  for (const Profile& profile : HonestProfiles()) names.insert(profile.name);
  EXPECT_EQ(names.size(), 10u);
  EXPECT_EQ(HonestProfiles().front().name, "contract");
}

}  // namespace
}  // namespace touchstone::exact
