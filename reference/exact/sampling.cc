// Sampling: a choice, so the bound is the set of tokens that a sound kernel may take.
//
//   z = logit / T, d = z - max z, e = exp(d)    4u (0 where T is a power of two), u, 4u relative;
//                                               d is never above 0
//   n = floor(e 2^40)                           exact from e, as are all sums of integers
//
// That gives every n an interval. Membership of the nucleus and the draw are signs of sums that are
// linear in the n, so each is decided by the ends that are worst for it:
//
//   kept   before - top_p all <= 0, that is (1 - top_p) before - top_p rest <= 0, where rest is the
//          token and those after it
//   taken  prefix before the token <= x < prefix with it, x = K u / 2^64. r = floor(x) gives the
//          same token, since the prefixes are integers
//
// Where equal logits straddle the edge of the nucleus either of them is agreement: a token ranks
// surely before another only where its logit is surely larger. kSlack covers the binary64 products,
// here and in the rule.
#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "reference/exact/second_reference.h"
#include "reference/formats/philox.h"

namespace touchstone::exact {
namespace {

constexpr double kSlack = 0x1p-50;  // eight roundings of binary64

// The weight n of a token, or what of it counts, as an interval.
struct Weight {
  int64_t lower = 0, upper = 0;
};

int64_t FloorOfWeight(double e) { return static_cast<int64_t>(std::floor(e * 0x1p40)); }

uint64_t Random(int64_t position, uint64_t key) {
  const auto w = Philox4x32({static_cast<uint32_t>(position), 0, 0, 1},
                            {static_cast<uint32_t>(key), static_cast<uint32_t>(key >> 32)});
  return uint64_t{w[1]} << 32 | w[0];
}

// floor(u k / 2^64) for k < 2^63, one bit of u at a time.
uint64_t Scaled(uint64_t u, uint64_t k) {
  uint64_t r = 0;
  for (int bit = 0; bit < 64; ++bit) r = (r + ((u >> bit & 1) != 0 ? k : 0)) >> 1;
  return r;
}

// The token that rule N11 takes, from the logits and their weights.
template <typename Logits>
int64_t Taken(const Logits& logits, const std::vector<int64_t>& n, double top_p, uint64_t u) {
  std::vector<size_t> ranked(n.size());
  std::iota(ranked.begin(), ranked.end(), size_t{0});
  std::stable_sort(ranked.begin(), ranked.end(), [&](size_t i, size_t j) {
    return logits(static_cast<int64_t>(i)) > logits(static_cast<int64_t>(j));
  });
  const int64_t all = std::accumulate(n.begin(), n.end(), int64_t{0});
  std::vector<int64_t> counted(n.size(), 0);
  int64_t before = 0;
  for (const size_t v : ranked) {
    const bool inside = static_cast<double>(before) <= top_p * static_cast<double>(all);
    if (inside || v == ranked[0]) counted[v] = n[v];
    before += n[v];
  }
  const int64_t kept = std::accumulate(counted.begin(), counted.end(), int64_t{0});
  const int64_t r = static_cast<int64_t>(Scaled(u, static_cast<uint64_t>(kept)));
  int64_t v = 0;
  for (int64_t prefix = counted[0]; prefix <= r; prefix += counted.at(static_cast<size_t>(v))) ++v;
  return v;
}

// Sums of weights over tokens by a logit: those above a limit, or not below it.
class SumsByLogit {
 public:
  SumsByLogit(const Matrix& logits, const std::vector<Weight>& n, int64_t Weight::*end)
      : order_(n.size()), sum_(n.size() + 1, 0) {
    std::iota(order_.begin(), order_.end(), int64_t{0});
    std::sort(order_.begin(), order_.end(),
              [&](int64_t i, int64_t j) { return logits(0, i) > logits(0, j); });
    for (size_t i = 0; i < n.size(); ++i) {
      sorted_.push_back(logits(0, order_[i]));
      sum_[i + 1] = sum_[i] + n[static_cast<size_t>(order_[i])].*end;
    }
  }
  int64_t Above(double limit) const { return sum_[Count(limit, std::greater<>())]; }
  int64_t NotBelow(double limit) const { return sum_[Count(limit, std::greater_equal<>())]; }
  int64_t All() const { return sum_.back(); }

 private:
  template <typename Before>
  size_t Count(double limit, Before before) const {
    const auto end = std::partition_point(sorted_.begin(), sorted_.end(),
                                          [&](double x) { return before(x, limit); });
    return static_cast<size_t>(end - sorted_.begin());
  }
  std::vector<int64_t> order_;
  std::vector<double> sorted_;
  std::vector<int64_t> sum_;
};

// What each token counts in the draw: nothing where it is surely outside the nucleus.
std::vector<Weight> Nucleus(const Enclosure& logits, const std::vector<Weight>& n, double top_p) {
  const SumsByLogit above_lower(logits.lower, n, &Weight::lower);  // surely larger logits
  const SumsByLogit above_upper(logits.upper, n, &Weight::upper);  // possibly larger or equal
  const SumsByLogit maybe_lower(logits.upper, n, &Weight::lower);
  const SumsByLogit sure_upper(logits.lower, n, &Weight::upper);
  const double p = std::clamp(top_p, 0.0, 1.0);  // below 0 only the first stays, above 1 all do
  const double slack = p < 1.0 ? kSlack * static_cast<double>(above_upper.All()) * p : 0.0;

  std::vector<Weight> counted(n.size());
  for (size_t v = 0; v < n.size(); ++v) {
    const int64_t i = static_cast<int64_t>(v);
    const double low = logits.lower(0, i), high = logits.upper(0, i);
    // Before it, at least and at most; what is not before it, at most and at least.
    const double before_least = static_cast<double>(above_lower.Above(high));
    const double before_most = static_cast<double>(above_upper.NotBelow(low) - n[v].upper);
    const double rest_most = static_cast<double>(sure_upper.All() - sure_upper.Above(high));
    const double rest_least =
        static_cast<double>(maybe_lower.All() - maybe_lower.NotBelow(low) + n[v].lower);
    const bool first = before_most == 0.0, maybe_first = before_least == 0.0;
    const bool surely = (1.0 - p) * before_most - p * rest_least <= -slack || first;
    const bool maybe = (1.0 - p) * before_least - p * rest_most <= slack || maybe_first;
    counted[v] = {surely ? n[v].lower : 0, maybe ? n[v].upper : 0};
  }
  return counted;
}

// Every token that may contain x = K u / 2^64.
void AddDrawn(const std::vector<Weight>& counted, uint64_t u, std::vector<int64_t>* accepted) {
  const double f = static_cast<double>(u) * 0x1p-64;
  Weight all, before;
  for (const Weight& w : counted) all = {all.lower + w.lower, all.upper + w.upper};
  const double slack = kSlack * static_cast<double>(all.upper);
  for (size_t v = 0; v < counted.size(); ++v) {
    const Weight with{before.lower + counted[v].lower, before.upper + counted[v].upper};
    const double after_lower = static_cast<double>(all.lower - with.lower);
    const double from_upper = static_cast<double>(all.upper - before.upper);
    const bool starts = (1.0 - f) * static_cast<double>(before.lower) - f * from_upper <= slack;
    const bool ends = (1.0 - f) * static_cast<double>(with.upper) - f * after_lower > -slack;
    const int64_t token = static_cast<int64_t>(v);
    if (counted[v].upper > 0 && starts && ends && token != accepted->front()) {
      accepted->push_back(token);
    }
    before = with;
  }
}

Enclosure RowOf(const Enclosure& x, int64_t b) {
  return {x.value.row(b), x.lower.row(b), x.upper.row(b), x.undecidable.row(b)};
}

// Every token whose logit may be the largest.
std::vector<int64_t> Greedy(const Enclosure& logits) {
  int64_t best = 0;
  for (int64_t v = 1; v < logits.cols(); ++v) {
    if (logits.value(0, v) > logits.value(0, best)) best = v;
  }
  std::vector<int64_t> accepted{best};
  const double least = logits.lower.maxCoeff();
  for (int64_t v = 0; v < logits.cols(); ++v) {
    if (v != best && logits.upper(0, v) >= least) accepted.push_back(v);
  }
  return accepted;
}

std::vector<int64_t> Sampled(const Enclosure& logits, double temperature, double top_p,
                             uint64_t u) {
  const Enclosure z =
      Divide(logits, Exactly(Matrix::Constant(1, 1, temperature)), DivisionError(temperature));
  const Enclosure largest{Matrix::Constant(1, 1, z.value.maxCoeff()),
                          Matrix::Constant(1, 1, z.lower.maxCoeff()),
                          Matrix::Constant(1, 1, z.upper.maxCoeff()), Mask::Constant(1, 1, false)};
  const Enclosure d = Subtract(z, largest);

  std::vector<int64_t> real;
  std::vector<Weight> n;
  for (int64_t v = 0; v < logits.cols(); ++v) {
    real.push_back(FloorOfWeight(std::exp(d.value(0, v))));
    n.push_back({FloorOfWeight(std::exp(d.lower(0, v)) * (1.0 - kFunctionError)),
                 FloorOfWeight(std::exp(std::min(d.upper(0, v), 0.0)) * (1.0 + kFunctionError))});
  }
  const auto logit = [&](int64_t v) { return logits.value(0, v); };
  std::vector<int64_t> accepted{Taken(logit, real, top_p, u)};
  AddDrawn(Nucleus(logits, n, top_p), u, &accepted);
  return accepted;
}

}  // namespace
}  // namespace touchstone::exact

// [doc: second reference]
TOUCHSTONE_ENCLOSE(sampling) {
  const Enclosure& logits = in.real("logits");
  const double temperature = static_cast<double>(in.constant("temperature"));
  const uint64_t seed = static_cast<uint64_t>(in.attribute("sampling_seed"));
  Choices taken;
  for (int64_t b = 0; b < logits.rows(); ++b) {
    const Enclosure row = RowOf(logits, b);
    const uint64_t u =
        Random(in.integer("positions").at(static_cast<size_t>(b)), seed + static_cast<uint64_t>(b));
    taken.push_back(temperature == 0.0 ? Greedy(row)
                                       : Sampled(row, temperature, in.attribute("top_p"), u));
  }
  out->choices["taken"] = taken;
}
// [doc: end second reference]

TOUCHSTONE_EVALUATE(sampling) {
  const FloatMatrix& logits = in.real("logits");
  const float temperature = in.constant("temperature");
  const uint64_t seed = static_cast<uint64_t>(in.attribute("sampling_seed"));
  Integers taken;
  for (int64_t b = 0; b < logits.rows(); ++b) {
    const auto logit = [&](int64_t v) { return logits(b, v); };
    if (temperature == 0.0f) {
      int64_t best = 0;
      for (int64_t v = 1; v < logits.cols(); ++v) best = logit(v) > logit(best) ? v : best;
      taken.push_back(best);
      continue;
    }
    std::vector<float> z;
    for (int64_t v = 0; v < logits.cols(); ++v) z.push_back(profile.Divide(logit(v), temperature));
    const float largest = *std::max_element(z.begin(), z.end());
    std::vector<int64_t> n;
    for (const float z_v : z) {
      n.push_back(FloorOfWeight(static_cast<double>(profile.Exp(profile.Result(z_v - largest)))));
    }
    const uint64_t u =
        Random(in.integer("positions").at(static_cast<size_t>(b)), seed + static_cast<uint64_t>(b));
    taken.push_back(Taken(logit, n, in.attribute("top_p"), u));
  }
  out->choices["taken"] = Certain(taken);
}
