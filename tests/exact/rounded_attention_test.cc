// Attention with rounding places that the contract does not have: its enclosure holds every sound
// kernel that has them, rejects kernels that have others, and never throws.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "reference/exact/second_reference.h"

namespace touchstone::exact {
namespace {

using enum RoundingPlace;

constexpr double kInf = std::numeric_limits<double>::infinity();
constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

// What is on: places outside the contract, and the fast exponential.
struct Places {
  std::string name;
  std::set<RoundingPlace> on;
  bool fast = false;
};

const std::vector<Places>& Combinations() {
  static const std::vector<Places> kAll = {
      {"none", {}},
      {"scores", {kScores}},
      {"scaled scores", {kScaledScores}},
      {"both scores", {kScores, kScaledScores}},
      {"eager", {kScores, kScaledScores, kProbabilities}},
      {"probabilities, fast", {kProbabilities}, true},
      {"exponentials", {kExponentials}},
      {"fused", {kExponentials}, true},
      {"scores and exponentials", {kScores, kExponentials}},
      {"fast alone", {}, true},
      {"exponentials and probabilities", {kExponentials, kProbabilities}},
      {"all", {kScores, kScaledScores, kExponentials, kProbabilities}, true}};
  return kAll;
}

const Places& Named(const std::string& name) {
  return *std::find_if(Combinations().begin(), Combinations().end(),
                       [&name](const Places& places) { return places.name == name; });
}

struct Problem {
  std::string name;
  int64_t S, H, G, D, chunk;
  Integers positions;
  Matrix q, keys, values;
};

Matrix Normal(int64_t rows, int64_t cols, uint64_t seed, double scale) {
  std::mt19937_64 random(seed);
  Matrix x(rows, cols);
  for (int64_t i = 0; i < x.size(); ++i) {
    double sum = -6.0;
    for (int k = 0; k < 12; ++k) sum += static_cast<double>(random() >> 11) * 0x1p-53;
    x.data()[i] = RoundReal(scale * sum, Dtype::kBf16);
  }
  return x;
}

Problem Make(const std::string& name, int64_t S, int64_t H, int64_t G, int64_t D, int64_t chunk,
             const Integers& positions, double q_scale = 1.0) {
  const auto T = static_cast<int64_t>(positions.size());
  const auto seed = static_cast<uint64_t>(S * 131 + D);
  return {name,
          S,
          H,
          G,
          D,
          chunk,
          positions,
          Normal(T * H, D, seed + 1, q_scale),
          Normal(S * G, D, seed + 2, 1.0),
          Normal(S * G, D, seed + 3, 1.0)};
}

// All keys alike, so that every score ties; the last one of a block is as large as any.
Problem Tied() {
  Problem p = Make("ties", 600, 2, 1, 8, 0, {0, 4, 511, 512, 599});
  for (int64_t j = 1; j < p.S; ++j) p.keys.row(j) = p.keys.row(0);
  return p;
}

// Scores that rise by 0.3 a key and by 40 in the middle: every block raises the maximum.
Problem Rising() {
  Problem p = Make("rising", 1100, 1, 1, 4, 0, {1099, 1023, 700}, 1.0);
  p.q.setConstant(1.0);
  for (int64_t j = 0; j < p.S; ++j) {
    p.keys.row(j).setConstant(
        RoundReal(0.15 * static_cast<double>(j) + (j > 600 ? 20.0 : 0.0), Dtype::kBf16));
  }
  return p;
}

std::vector<Problem> Problems() {
  return {Make("small", 20, 2, 2, 4, 0, {0, 1, 2, 7, 19}),
          Make("grouped", 45, 6, 2, 16, 0, {44, 20, 3}, 2.0),
          Make("chunked", 70, 5, 1, 16, 16, {15, 16, 17, 63, 64, 69}, 2.0),
          Make("wide", 90, 2, 1, 64, 0, {89, 40}, 300.0),
          Make("one rules", 300, 2, 1, 32, 0, {299, 128}, 20000.0),
          Make("long", 2000, 2, 1, 16, 0, {1999, 1023, 512}, 2.0),
          Make("long chunks", 1500, 2, 2, 8, 700, {1399, 1400, 699}, 1.0),
          Make("nothing visible", 4, 1, 1, 4, 8, {9, 2}),
          Tied(),
          Rising()};
}

template <typename Real>
Operands<Real> Around(const Problem& p, Dtype storage) {
  Operands<Real> in;
  in.integers["positions"] = p.positions;
  in.attributes["chunk"] = static_cast<double>(p.chunk);
  in.sizes = {{'T', static_cast<int64_t>(p.positions.size())},
              {'S', p.S},
              {'H', p.H},
              {'G', p.G},
              {'D', p.D}};
  in.storage = storage;
  in.output = Dtype::kF32;  // before the last rounding, as the enclosure is
  return in;
}

Enclosure Enclosed(const Problem& p, const Enclosure& q, const Places& places, Place place,
                   Dtype storage = Dtype::kBf16) {
  auto in = Around<Enclosure>(p, storage);
  in.reals = {{"q", q}, {"keys", Exactly(p.keys)}, {"values", Exactly(p.values)}};
  for (const RoundingPlace where : places.on) in.places[where] = place;
  in.fast_exponential = places.fast;
  Results<Enclosure> out;
  FindSecondReference("attention").enclose(in, &out);
  return out.reals.at("y");
}

FloatMatrix Evaluated(const Problem& p, const Matrix& q, const Profile& kernel,
                      const Places& places, Dtype storage = Dtype::kBf16) {
  Profile profile = kernel;
  profile.added = places.on;
  profile.fast_exponential = places.fast;
  auto in = Around<FloatMatrix>(p, storage);
  in.reals = {
      {"q", q.cast<float>()}, {"keys", p.keys.cast<float>()}, {"values", p.values.cast<float>()}};
  Results<FloatMatrix> out;
  FindSecondReference("attention").evaluate(profile, in, &out);
  return out.reals.at("y");
}

// The enclosure is before the last rounding, which here is to f32.
int64_t Outside(const Enclosure& bound, const FloatMatrix& y, Dtype output = Dtype::kF32) {
  int64_t count = 0;
  for (int64_t i = 0; i < y.size(); ++i) {
    if (bound.undecidable.data()[i]) continue;
    const double got = RoundReal(static_cast<double>(y.data()[i]), output);
    const double value = bound.value.data()[i];
    const bool held = std::isnan(value) ? std::isnan(got)
                                        : RoundReal(bound.lower.data()[i], output) <= got &&
                                              got <= RoundReal(bound.upper.data()[i], output);
    count += held ? 0 : 1;
  }
  return count;
}

TEST(RoundedAttention, HoldsEveryHonestKernelWithTheSamePlaces) {
  for (const Problem& p : Problems()) {
    for (const Places& places : Combinations()) {
      const Enclosure bound = Enclosed(p, Exactly(p.q), places, Place::kOn);
      EXPECT_FALSE(bound.undecidable.any()) << p.name << ", " << places.name;
      for (const Profile& kernel : HonestProfiles()) {
        EXPECT_EQ(Outside(bound, Evaluated(p, p.q, kernel, places)), 0)
            << p.name << ", " << places.name << ", " << kernel.name;
      }
    }
  }
}

TEST(RoundedAttention, HullHoldsKernelsWithAndWithoutThePlaces) {
  for (const Problem& p : Problems()) {
    for (const Places& places : Combinations()) {
      const Enclosure bound = Enclosed(p, Exactly(p.q), places, Place::kHull);
      for (const Profile& kernel : {HonestProfiles()[0], HonestProfiles()[8]}) {
        Places fewer = places;
        for (;;) {
          EXPECT_EQ(Outside(bound, Evaluated(p, p.q, kernel, fewer)), 0)
              << p.name << ", " << places.name << ", " << fewer.on.size() << " on";
          if (fewer.on.empty()) break;
          fewer.on.erase(fewer.on.begin());
        }
      }
    }
  }
}

// In f32 no place rounds: the contract's bits.
TEST(RoundedAttention, IsTheContractInF32) {
  const Problem p = Problems()[1];
  const Enclosure contract = Enclosed(p, Exactly(p.q), Named("none"), Place::kOn, Dtype::kF32);
  for (const Places& places : Combinations()) {
    const Enclosure y = Enclosed(p, Exactly(p.q), places, Place::kOn, Dtype::kF32);
    EXPECT_TRUE((y.lower == contract.lower).all() && (y.upper == contract.upper).all());
    for (const Profile& kernel : HonestProfiles()) {
      EXPECT_EQ(Outside(y, Evaluated(p, p.q, kernel, places, Dtype::kF32)), 0) << places.name;
    }
  }
}

// A query that is itself enclosed: every query inside gives an output inside.
TEST(RoundedAttention, CarriesTheWidthOfTheQuery) {
  for (const double relative : {1e-6, 1e-2, 1.0}) {
    const Problem p = Make("enclosed", 40, 4, 2, 8, 0, {39, 0, 12}, 2.0);
    const Enclosure q = Within(p.q, relative * p.q.abs());
    for (const Places& places : Combinations()) {
      const Enclosure bound = Enclosed(p, q, places, Place::kOn);
      std::mt19937_64 random(5);
      for (int sample = 0; sample < 8; ++sample) {
        const Matrix share = p.q.unaryExpr([&](double) {
          if (sample < 4) return random() % 2 == 0 ? 0.0 : 1.0;
          return static_cast<double>(random() >> 11) * 0x1p-53;
        });
        const Matrix inside = (q.lower + share * (q.upper - q.lower)).unaryExpr([](double x) {
          return static_cast<double>(static_cast<float>(x));
        });
        const Matrix held = inside.max(q.lower).min(q.upper);
        if ((held.cast<float>().cast<double>() != held).any()) continue;
        EXPECT_EQ(Outside(bound, Evaluated(p, held, HonestProfiles()[static_cast<size_t>(sample)],
                                           places)),
                  0)
            << relative << ", " << places.name;
      }
    }
  }
}

// The real query is not the middle of what a kernel has where a rounding came before.
TEST(RoundedAttention, TakesARoundedQueryForWhatItIs) {
  const Problem p = Make("rounded query", 30, 4, 2, 8, 0, {29, 7}, 2.0);
  Enclosure q = Exactly(p.q);
  q.value *= 1.003;
  for (const Places& places : Combinations()) {
    if (!places.on.contains(kExponentials) && !places.on.contains(kProbabilities)) continue;
    const Enclosure y = Enclosed(p, q, places, Place::kOn);
    const Enclosure known = Enclosed(p, Exactly(p.q), places, Place::kOn);
    EXPECT_TRUE(((y.lower - known.lower).abs() < 1e-6).all()) << places.name;
    EXPECT_TRUE(((y.upper - known.upper).abs() < 1e-6).all()) << places.name;
    EXPECT_TRUE((y.value != known.value).any()) << places.name;
  }
}

// A place that is left out, or one too many, is noticed in the bf16 result. 1/sqrt(32) is no power
// of two, so that scores and scaled scores are two places.
TEST(RoundedAttention, RejectsKernelsWithOtherPlaces) {
  const Problem p = Make("rejects", 60, 8, 2, 32, 0, {10, 20, 30, 40, 50, 59}, 2.0);
  const auto rejected = [&](const Places& bound, const Places& kernel) {
    return Outside(Enclosed(p, Exactly(p.q), bound, Place::kOn),
                   Evaluated(p, p.q, Profile{}, kernel), Dtype::kBf16);
  };
  const Places contract = Named("none"), eager = Named("eager"), fused = Named("fused");
  for (const Places& full : {eager, fused}) {
    for (const RoundingPlace where : full.on) {
      Places fewer = full;
      fewer.on.erase(where);
      EXPECT_GT(rejected(fewer, full), 0) << full.name << " without " << Name(where);
      EXPECT_GT(rejected(full, fewer), 0) << full.name << " without " << Name(where);
    }
  }
  Places exact_exp = fused;
  exact_exp.fast = false;
  EXPECT_GT(rejected(exact_exp, fused), 0) << "an ordinary exponential";
  EXPECT_GT(rejected(eager, fused), 0);
  EXPECT_GT(rejected(fused, eager), 0);
  EXPECT_GT(rejected(contract, eager), 0);
  EXPECT_GT(rejected(contract, fused), 0);
}

double DecidedShare(const Enclosure& y) {
  const auto round = [](double x) { return RoundReal(x, Dtype::kBf16); };
  const Mask decided = y.lower.unaryExpr(round) == y.upper.unaryExpr(round);
  return static_cast<double>(decided.count()) / static_cast<double>(decided.size());
}

TEST(RoundedAttention, DecidesMostElements) {
  const Problem p = Make("decides", 45, 5, 1, 16, 16, {3, 9, 15, 20, 30, 44}, 1.0);
  EXPECT_GT(DecidedShare(Enclosed(p, Exactly(p.q), Named("eager"), Place::kOn)), 0.97);
  EXPECT_GT(DecidedShare(Enclosed(p, Exactly(p.q), Named("fused"), Place::kOn)), 0.8);
}

// One visible key: its weight is 1 whatever rounds, so that the output is the value.
TEST(RoundedAttention, OneVisibleKeyGivesItsValue) {
  const Problem p = Make("one", 8, 2, 1, 4, 0, {0}, 3.0);
  for (const Places& places : Combinations()) {
    const Enclosure y = Enclosed(p, Exactly(p.q), places, Place::kOn);
    for (int64_t d = 0; d < p.D; ++d) {
      EXPECT_EQ(RoundReal(y.lower(1, d), Dtype::kBf16), p.values(0, d)) << places.name;
      EXPECT_EQ(RoundReal(y.upper(1, d), Dtype::kBf16), p.values(0, d)) << places.name;
    }
  }
}

// Two keys of equal scores: weights of exactly 1/2, and values whose mean lies between two bf16
// numbers. Only a sum that is known to be exact decides it.
TEST(RoundedAttention, KnowsSumsThatAreExact) {
  Problem p = Make("halves", 2, 1, 1, 1, 0, {1});
  p.keys.setConstant(1.0);
  p.values << 1.0, 1.0 + 0x1p-7;
  const Enclosure y = Enclosed(p, Exactly(p.q), Named("eager"), Place::kOn);
  EXPECT_EQ(y.lower(0, 0), 1.0 + 0x1p-8);
  EXPECT_EQ(y.upper(0, 0), 1.0 + 0x1p-8);
}

TEST(RoundedAttention, SaysNothingOfWhatIsNotFiniteAndNeverThrows) {
  for (const Places& places : Combinations()) {
    for (const double odd : {kInf, -kInf, kNaN}) {
      for (Matrix Problem::*const where : {&Problem::q, &Problem::keys, &Problem::values}) {
        Problem p = Make("odd", 20, 4, 2, 4, 0, {1, 19});
        (p.*where)((p.*where).rows() - 1, 2) = odd;
        Enclosure y;
        ASSERT_NO_THROW(y = Enclosed(p, Exactly(p.q), places, Place::kOn)) << places.name;
        for (const Profile& kernel : HonestProfiles()) {
          EXPECT_EQ(Outside(y, Evaluated(p, p.q, kernel, places)), 0) << places.name << odd;
        }
        // The first query does not see the last key; no other head sees the last query.
        EXPECT_FALSE(y.undecidable.row(0).any()) << places.name;
        EXPECT_TRUE(y.value.row(0).isFinite().all()) << places.name;
      }
    }
    Problem large = Make("large", 8, 1, 1, 4, 0, {7});
    large.values.setConstant(0x1p126);
    EXPECT_TRUE(Enclosed(large, Exactly(large.q), places, Place::kOn).undecidable.all());
    Enclosure open = Exactly(large.q);
    open.upper(0, 0) = kInf;
    EXPECT_TRUE(Enclosed(large, open, places, Place::kHull).undecidable.all()) << places.name;
  }
}

TEST(RoundedAttention, TakesAnyLengthAndAnyRange) {
  for (const Places& places : Combinations()) {
    const Problem p = Make("5000 keys", 5000, 1, 1, 8, 0, {4999, 4096}, 2.0);
    const Enclosure y = Enclosed(p, Exactly(p.q), places, Place::kOn);
    EXPECT_FALSE(y.undecidable.any());
    EXPECT_TRUE(((y.upper - y.lower) < 0.05).all()) << places.name << ": says nothing";
    Problem wide = Make("range of 1e38", 30, 1, 1, 4, 0, {29}, 1.0);
    wide.q *= 0x1p60;
    wide.keys *= 0x1p60;
    const Enclosure w = Enclosed(wide, Exactly(wide.q), places, Place::kOn);
    EXPECT_EQ(Outside(w, Evaluated(wide, wide.q, Profile{}, places)), 0) << places.name;
  }
}

// ---- the fast exponential -----------------------------------------------------------------------

TEST(FastExponential, IsWithinItsErrorAndUsesIt) {
  Profile profile;
  profile.fast_exponential = true;
  double largest = 0.0;
  for (int i = 0; i < 20000; ++i) {
    const float x = -static_cast<float>(i) * 0.00601f;
    const double right = std::exp(static_cast<double>(x));
    const double got = static_cast<double>(profile.ExpOfScore(x, Dtype::kBf16));
    EXPECT_LE(std::fabs(got - right), kFastExpError * right + kFastExpFlush) << x;
    if (right > 0x1p-120) largest = std::max(largest, std::fabs(got - right) / right);
    EXPECT_EQ(profile.ExpOfScore(x, Dtype::kF32), profile.Exp(x))
        << "in f32 it is the ordinary one";
  }
  EXPECT_GT(largest, 0.95 * kFastExpError);
}

// 2^f as 1 + f - K(f) with torch's coefficients is off by no more than the bound says.
TEST(FastExponential, TheBoundIsThatOfTheMethodWithTheseCoefficients) {
  const double K[] = {0.00010703434948458272, 0.30354260500649682, -0.22433836478672356,
                      -0.079204240219773236};
  double largest = 0.0;
  for (int i = 0; i < (1 << 20); ++i) {
    const double f = std::ldexp(i, -20);
    const double mantissa = 1.0 + f - (K[0] + f * (K[1] + f * (K[2] + f * K[3])));
    // Below 1 the pattern is that of the binade before, where the line has half the slope.
    const double y = mantissa < 1.0 ? 1.0 - 0.5 * (1.0 - mantissa) : mantissa;
    largest = std::max(largest, std::fabs(y / std::exp2(f) - 1.0));
  }
  EXPECT_LE(largest, 1.0705e-4);
  EXPECT_GT(largest, 1.0e-4);
}

}  // namespace
}  // namespace touchstone::exact
