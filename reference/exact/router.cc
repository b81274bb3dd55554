// Router: a choice by logit, and score = RN(1 / (1 + exp(-v))) of the chosen logit v.
//
// An expert may stand at rank a if at most a experts surely beat it, and at least a others are not
// surely beaten by it; at equal logits any is agreement. Each element is judged alone.
//
// Relative errors of the score, with s = 1 / (1 + exp(v)) the part of exp(-v) in 1 + exp(-v):
//
//   exp(-v)      4u, of which the sum sees 4u s; the same where it is exp(v) / (1 + exp(v))
//   1 + exp(-v)  u
//   quotient     4u
//
//   rho = 1.01 (4 s + 5) u          1 % covers the second order
//
// Absolute ones: 2^-150 where exp or the quotient is subnormal, each. Where exp(-v) may exceed the
// largest binary32 number the sum may be infinite and the score 0, although its real value, near
// 2^-128, is none. A score is never negative.
#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "reference/exact/second_reference.h"

namespace touchstone::exact {
namespace {

// Rule N6: a NaN beats all; -0 equals +0, and a NaN equals a NaN.
bool Beats(double a, double b) { return std::isnan(a) ? !std::isnan(b) : a > b; }

template <typename Logit>
std::vector<int64_t> Ranked(int64_t E, Logit logit) {
  std::vector<int64_t> ranked(static_cast<size_t>(E));
  std::iota(ranked.begin(), ranked.end(), 0);
  std::stable_sort(ranked.begin(), ranked.end(),
                   [&](int64_t i, int64_t j) { return Beats(logit(i), logit(j)); });
  return ranked;
}

// The experts of token t that may stand at each rank below A; the one of real arithmetic first.
std::vector<std::vector<int64_t>> MayStand(const Enclosure& logits, int64_t t, int64_t A) {
  const int64_t E = logits.cols();
  const auto ranked = Ranked(E, [&](int64_t e) { return logits.value(t, e); });
  std::vector<std::vector<int64_t>> accepted(static_cast<size_t>(A));
  for (size_t a = 0; a < accepted.size(); ++a) accepted[a].push_back(ranked[a]);

  const auto surely_beats = [&](int64_t i, int64_t j) {
    return !logits.undecidable(t, i) && !logits.undecidable(t, j) &&
           Beats(logits.lower(t, i), logits.upper(t, j));
  };
  for (int64_t e = 0; e < E; ++e) {
    int64_t above = 0, not_below = 0;
    for (int64_t other = 0; other < E; ++other) {
      if (other == e) continue;
      above += surely_beats(other, e) ? 1 : 0;
      not_below += surely_beats(e, other) ? 0 : 1;
    }
    for (int64_t a = above; a <= std::min(not_below, A - 1); ++a) {
      auto& here = accepted[static_cast<size_t>(a)];
      if (e != here.front()) here.push_back(e);
    }
  }
  return accepted;
}

double Sigmoid(double v) { return 1.0 / (1.0 + std::exp(-v)); }

struct Ends {
  double lower, upper;
};

Ends ScoreEnds(double low, double high) {
  const double rho = 1.01 * (4.0 * Sigmoid(-low) + 5.0) * kUnit;  // s falls with v
  const bool may_overflow = std::exp(-low) > 0x1p128 * (1.0 - 0x1p-20);
  const double least = Sigmoid(low) * (1.0 - rho) - 2.0 * Underflow();
  const double tiny = std::isinf(high) ? 0.0 : 2.0 * Underflow();
  return {may_overflow ? 0.0 : std::max(least, 0.0), Sigmoid(high) * (1.0 + rho) + tiny};
}

}  // namespace
}  // namespace touchstone::exact

// [doc: second reference]
TOUCHSTONE_ENCLOSE(router) {
  const Enclosure& logits = in.real("logits");
  const int64_t A = in.size('A');
  Enclosure scores = Exactly(Matrix::Zero(logits.rows(), A));
  Choices chosen;
  for (int64_t t = 0; t < logits.rows(); ++t) {
    const auto accepted = MayStand(logits, t, A);
    for (int64_t a = 0; a < A; ++a) {
      const std::vector<int64_t>& experts = accepted[static_cast<size_t>(a)];
      chosen.push_back(experts);
      scores.value(t, a) = Sigmoid(logits.value(t, experts.front()));
      // The hull over whichever expert was taken.
      Ends all{INFINITY, -INFINITY};
      for (const int64_t e : experts) {
        const auto [lower, upper] = ScoreEnds(logits.lower(t, e), logits.upper(t, e));
        all = {std::min(all.lower, lower), std::max(all.upper, upper)};
        const bool other_class = std::isnan(logits.value(t, e)) != std::isnan(scores.value(t, a));
        scores.undecidable(t, a) |= logits.undecidable(t, e) || other_class;
      }
      scores.lower(t, a) = all.lower;
      scores.upper(t, a) = all.upper;
    }
  }
  Settle(&scores);
  out->reals["scores"] = scores;
  out->choices["chosen"] = chosen;
}
// [doc: end second reference]

TOUCHSTONE_EVALUATE(router) {
  const FloatMatrix& logits = in.real("logits");
  const int64_t A = in.size('A');
  FloatMatrix scores(logits.rows(), A);
  Integers chosen;
  for (int64_t t = 0; t < logits.rows(); ++t) {
    const auto ranked = Ranked(logits.cols(), [&](int64_t e) { return logits(t, e); });
    for (int64_t a = 0; a < A; ++a) {
      const int64_t expert = ranked[static_cast<size_t>(a)];
      const float score = profile.Divide(1.0f, 1.0f + profile.Exp(-logits(t, expert)));
      scores(t, a) = profile.Output(score, in.output);
      chosen.push_back(expert);
    }
  }
  out->reals["scores"] = scores;
  out->choices["chosen"] = Certain(chosen);
}
