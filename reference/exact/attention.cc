// Attention: y = RN(sum w_j v_j), w the softmax of s_j = alpha (q . k_j) over the n visible keys j,
// alpha = RN32(1 / sqrt(D)). Below, m is the largest score and o the real output.
//
// Weights. Any blocks of keys, any running maximum, any tree of merges by m and l, then at most one
// merge of divided partial outputs by the logarithms of their l; exp or exp2. Key j has one weight,
// in l and in every o_d. Its exponent is s_j - m, but for
//
//   short_j                 alpha B_j, B_j from Contract: D u sum |q_d k_jd|, and what q and k are
//                           short of; or what rounded scores may differ by (attention_scores.h)
//   3u alpha sum |q_d k_jd| alpha and log2(e) are rounded and scale q, k, the sum or the exponent
//   5u W + 6u log n         W is the extent of all scores and 0. The steps s_j - m_1, m_1 - m_2 ...
//                           rise after the first: 2 W. The maximum in units of log2: W. A merge by
//                           logarithms: 4u log l, then m + log l and a difference of two such sums,
//                           each u (W + log n)
//   4u (N_j + 2)            exp, for the weight, each rescaling, and in a merge by logarithms. A
//                           rescaling raises the maximum to a score larger than s_j, so that N_j is
//                           the number of scores that may be larger; exp(0) is 1
//   a fast exponential      its error and 4u W more, for the weight alone (profile.h)
//
// X_j in all: the weight is within theta_j = expm1(X_j) relative. Underflow of exp and of its
// factors adds at most 2^-149 n, relative to exp(m), and a fast exponential's 2^-126 n.
//
// Sums. On its way a term meets at most n - 1 additions, N_j rescalings, its own product and, where
// partial outputs are divided, a quotient and a product:
//
//   eps_j = expm1((n + N_j + 6) u)     of p_j v_jd in o_d; and of p_j in l, which meets fewer
//
// Where operands may be in tf32 (allowance.h) p_j and v_jd are each off by a factor within 1 +- e,
// e = OperandError(): -2 log(1 - e) more in that exponent.
//
// Output. Since sum w_j (v_j - o) = 0, an error that all weights share changes nothing:
//
//   h = sum w_j theta_j     R = sum w_j theta_j |v_jd - o| / (1 - h)
//   z = sum w_j (1 + theta_j) eps_j / (1 - h)
//   |y - o| <= R + (sum w_j (1 + theta_j) eps_j |v_jd| / (1 - h) + z (|o| + R)) / (1 - z) + 5u |y|
//
// with 5u for a quotient, or a reciprocal and a product. An average with any weights lies between
// the least and the largest v_jd, which bounds R where h is near 1 or above, as the largest eps_j
// bounds the other two. Subnormal products p_j v_jd, rescaled o_d and quotients add
// 2^-150 (3 n + 2), as l >= 1. Where v is itself enclosed, |v - o| is the largest that it allows,
// and w_j times what v_j is short of joins R.
//
// Nothing can be said where a score may be -inf (a block of such keys alone gives NaN), where sum
// |v_jd| exceeds 2^127 (every p_j may be 1 in its block), or of an infinite value whose weight may
// underflow. A NaN or +inf score makes the head NaN in every kernel, and so do infinities of both
// signs, or a NaN, in v.
//
// Places outside the contract. kScores and kScaledScores move a score to what they leave of it, and
// all above holds relative to that. kExponentials and kProbabilities are rounded_softmax.cc's.
#include <algorithm>
#include <cmath>
#include <optional>
#include <vector>

#include "reference/exact/attention_scores.h"
#include "reference/exact/rounded_softmax.h"
#include "reference/exact/second_reference.h"

namespace touchstone::exact {
namespace {

// The softmax of one query's n scores.
struct Weights {
  std::vector<double> w;      // of the centers; they sum to 1
  std::vector<double> real;   // of the scores in real arithmetic, where those are others
  std::vector<double> error;  // w theta and the underflow
  std::vector<double> eps;
  std::vector<double> least;  // of the exponent
  double h = 0.0, z = 0.0, largest_eps = 0.0;
  bool nan = false, undecidable = false;
};

std::vector<double> Softmax(const Matrix& s) {
  const Matrix e = (s - s.maxCoeff()).exp();
  const Matrix w = e / e.sum();
  return {w.data(), w.data() + w.size()};
}

// One row of scores.
Weights WeightsOf(const Scores& scores, bool fast_exponential) {
  Weights weights;
  weights.nan = scores.nan.any();
  weights.undecidable = scores.open.any() && !weights.nan;
  if (weights.nan || weights.undecidable) return weights;

  const Matrix& s = scores.center;
  const Matrix& short_of = scores.short_of;
  const double n = static_cast<double>(s.cols());
  const double m = s.maxCoeff();
  const double extent =
      std::max((s + short_of).maxCoeff(), 0.0) - std::min((s - short_of).minCoeff(), 0.0);
  Matrix off = short_of + scores.scaling +
               kUnit * (5.0 * extent + 6.0 * std::log(n));  // X but for the functions
  double tiny = 2.0 * Underflow() + SubnormalOperandError();
  if (fast_exponential) {
    off += kFastExpArgumentError * extent - std::log1p(-kFastExpError);
    tiny += kFastExpFlush;
  }
  std::vector<double> highest;
  for (int64_t j = 0; j < s.cols(); ++j) highest.push_back(s(0, j) + off(0, j));
  std::sort(highest.begin(), highest.end());

  const double l = (s - m).exp().sum();
  const double operands = -2.0 * std::log1p(-OperandError());
  for (int64_t j = 0; j < s.cols(); ++j) {
    const auto larger =
        highest.end() - std::upper_bound(highest.begin(), highest.end(), s(0, j) - off(0, j));
    const double N = std::min(static_cast<double>(larger), n - 1.0);
    const double X = off(0, j) + kFunctionError * (N + 2.0);
    const double exponent = s(0, j) - m, W = std::exp(exponent);
    const double W_theta = X < 1.0 ? W * std::expm1(X) : std::exp(exponent + X) - W;
    weights.w.push_back(W / l);
    weights.error.push_back((W_theta + tiny * n) / l);
    weights.eps.push_back(std::expm1((n + N + 6.0) * kUnit + operands));
    weights.least.push_back(exponent - X);
    weights.h += weights.error.back();
    weights.z += (weights.w.back() + weights.error.back()) * weights.eps.back();
    weights.largest_eps = std::max(weights.largest_eps, weights.eps.back());
  }
  weights.z = weights.h < 1.0 ? std::min(weights.z / (1.0 - weights.h), weights.largest_eps)
                              : weights.largest_eps;
  if ((scores.center != scores.value).any()) weights.real = Softmax(scores.value);
  return weights;
}

struct Element {
  double value, lower, upper;
  bool undecidable;
};

// Column d where the values hold an infinity or a NaN.
Element NotFinite(const Weights& weights, const Enclosure& v, int64_t d) {
  double sum = 0.0;  // infinities of both signs give NaN
  double others = 0.0;
  bool underflow = false;  // an infinity times a weight that may be zero is NaN
  for (int64_t j = 0; j < v.rows(); ++j) {
    const double v_j = v.value(j, d);
    if (std::isfinite(v_j)) {
      others += std::max(std::fabs(v.lower(j, d)), std::fabs(v.upper(j, d)));
    } else {
      sum += v_j;
      underflow |= weights.least[static_cast<size_t>(j)] < -80.0;  // 2^-126 is exp(-87.3)
    }
  }
  const bool open = underflow || others > kOverflow;
  return {sum, sum, sum, open && !std::isnan(sum)};
}

Element Output(const Weights& weights, const Enclosure& v, int64_t d) {
  if (weights.nan) return {NAN, NAN, NAN, false};
  if (weights.undecidable || v.undecidable.col(d).any()) return {NAN, NAN, NAN, true};
  if (!v.value.col(d).isFinite().all()) return NotFinite(weights, v, d);

  double o = 0.0;
  for (int64_t j = 0; j < v.rows(); ++j) o += weights.w[static_cast<size_t>(j)] * v.value(j, d);

  double below = 0.0, above = 0.0;  // R, and what v is short of
  double terms = 0.0, sum = 0.0, largest = 0.0;
  bool open = false;
  for (int64_t j = 0; j < v.rows(); ++j) {
    const size_t i = static_cast<size_t>(j);
    const double low = v.lower(j, d), high = v.upper(j, d), w = weights.w[i];
    const double distance = std::max(std::fabs(low - o), std::fabs(high - o));
    const double size = std::max(std::fabs(low), std::fabs(high));
    below += weights.error[i] * distance + w * (v.value(j, d) - low);
    above += weights.error[i] * distance + w * (high - v.value(j, d));
    terms += (w + weights.error[i]) * weights.eps[i] * size;
    sum += size;
    largest = std::max(largest, size);
    open |= !std::isfinite(low) || !std::isfinite(high);
  }
  const double rest = 1.0 - weights.h;
  const double to_least = o - v.lower.col(d).minCoeff(), to_most = v.upper.col(d).maxCoeff() - o;
  below = rest > 0.0 ? std::min(below / rest, to_least) : to_least;
  above = rest > 0.0 ? std::min(above / rest, to_most) : to_most;
  terms = rest > 0.0 ? std::min(terms / rest, largest * weights.largest_eps)
                     : largest * weights.largest_eps;

  const double reach = std::fabs(o) + std::max(below, above);
  const double rounding = (terms + weights.z * reach) / (1.0 - weights.z);
  const double quotient = (kFunctionError + kUnit) * (reach + rounding);
  const double tiny = (3.0 * static_cast<double>(v.rows()) + 2.0) * Underflow() +
                      static_cast<double>(v.rows()) * SubnormalOperandError();
  double value = o;
  if (!weights.real.empty()) {
    value = 0.0;
    for (int64_t j = 0; j < v.rows(); ++j) {
      value += weights.real[static_cast<size_t>(j)] * v.value(j, d);
    }
  }
  return {value, o - (below + rounding + quotient + tiny), o + (above + rounding + quotient + tiny),
          open || sum > kOverflow};
}

Enclosure RowsFrom(const Enclosure& x, int64_t first, int64_t count) {
  return {x.value.middleRows(first, count), x.lower.middleRows(first, count),
          x.upper.middleRows(first, count), x.undecidable.middleRows(first, count)};
}

using In = Operands<Enclosure>;

struct Shape {
  int64_t H, G, S, chunk;
  int64_t heads() const { return H / G; }  // query heads that share a head of keys
};

Shape ShapeOf(const In& in) {
  return {in.size('H'), in.size('G'), in.size('S'), static_cast<int64_t>(in.attribute("chunk"))};
}

Keys VisibleAt(const In& in, int64_t t) {
  const Shape shape = ShapeOf(in);
  return VisibleKeys(in.integer("positions").at(static_cast<size_t>(t)), shape.chunk, shape.S);
}

// A softmax with places of its own. Queries that see keys from the same one on are taken together:
// the keys' share of the work is the larger one.
Enclosure PlacedSoftmax(const In& in, const SoftmaxPlaces& places) {
  constexpr int64_t kRows = 64;
  const Enclosure& q = in.real("q");
  const Shape shape = ShapeOf(in);
  const int64_t T = q.rows() / shape.H, share = shape.heads();
  Enclosure y = Exactly(Matrix::Zero(q.rows(), q.cols()));
  for (int64_t begin = 0, end = 0; begin < T; begin = end) {
    Keys all = VisibleAt(in, begin);
    for (end = begin; end < T && (end == begin || (end + 1 - begin) * share <= kRows); ++end) {
      const Keys visible = VisibleAt(in, end);
      if (visible.first != all.first) break;
      all.end = std::max(all.end, visible.end);
    }
    if (all.count() == 0) continue;  // +0
    for (int64_t g = 0; g < shape.G; ++g) {
      const auto row_of = [&](int64_t i) {
        return (begin + i / share) * shape.H + g * share + i % share;
      };
      const int64_t rows = (end - begin) * share;
      const Enclosure queries =
          Gather(q, rows, q.cols(), [&](int64_t i, int64_t d) { return row_of(i) * q.cols() + d; });
      std::vector<Keys> visible;
      for (int64_t i = 0; i < rows; ++i) visible.push_back(VisibleAt(in, begin + i / share));
      const Enclosure keys = RowsOf(in.real("keys"), all, g, shape.G);
      const Scores scores = ScoresOf(queries, keys, in.storage, in.place(RoundingPlace::kScores),
                                     in.place(RoundingPlace::kScaledScores));
      const Enclosure o = RoundedSoftmax(places, scores, visible, all.first,
                                         RowsOf(in.real("values"), all, g, shape.G));
      for (int64_t i = 0; i < rows; ++i) {
        y.value.row(row_of(i)) = o.value.row(i);
        y.lower.row(row_of(i)) = o.lower.row(i);
        y.upper.row(row_of(i)) = o.upper.row(i);
        y.undecidable.row(row_of(i)) = o.undecidable.row(i);
      }
    }
  }
  return y;
}

// What a place may be: without it, with it.
std::vector<bool> MayBe(const In& in, RoundingPlace where) {
  const Place place = in.storage == Dtype::kF32 ? Place::kOff : in.place(where);
  if (place == Place::kHull) return {false, true};
  return {place == Place::kOn};
}

// [doc: second reference]
// Any softmax that the contract's bound allows.
Enclosure AnySoftmax(const In& in) {
  const Enclosure& q = in.real("q");
  const Shape shape = ShapeOf(in);
  const bool fast = in.fast_exponential && in.storage != Dtype::kF32;
  Enclosure y = Exactly(Matrix::Zero(q.rows(), q.cols()));
  for (int64_t head = 0; head < q.rows() / shape.heads(); ++head) {
    const int64_t t = head / shape.G, g = head % shape.G;
    const Keys visible = VisibleAt(in, t);
    if (visible.count() == 0) continue;  // +0
    const Enclosure keys = RowsOf(in.real("keys"), visible, g, shape.G);
    const Enclosure v = RowsOf(in.real("values"), visible, g, shape.G);
    for (int64_t i = head * shape.heads(); i < (head + 1) * shape.heads(); ++i) {
      const Weights weights =
          WeightsOf(ScoresOf(RowsFrom(q, i, 1), keys, in.storage, in.place(RoundingPlace::kScores),
                             in.place(RoundingPlace::kScaledScores)),
                    fast);
      for (int64_t d = 0; d < q.cols(); ++d) {
        const Element element = Output(weights, v, d);
        y.value(i, d) = element.value;
        y.lower(i, d) = element.lower;
        y.upper(i, d) = element.upper;
        y.undecidable(i, d) = element.undecidable;
      }
    }
  }
  return y;
}

}  // namespace
}  // namespace touchstone::exact

TOUCHSTONE_ENCLOSE(attention) {
  std::optional<Enclosure> y;
  for (const bool exponentials : MayBe(in, RoundingPlace::kExponentials)) {
    for (const bool probabilities : MayBe(in, RoundingPlace::kProbabilities)) {
      const Enclosure one =
          exponentials || probabilities
              ? PlacedSoftmax(in, {exponentials, probabilities, in.fast_exponential, in.storage})
              : AnySoftmax(in);
      y = y ? Hull(*y, one) : one;
    }
  }
  out->reals["y"] = *y;
}
// [doc: end second reference]

namespace touchstone::exact {
namespace {

// The softmax of some keys under a profile, not yet divided: weights are relative to exp(m).
struct Partial {
  float m = 0.0f, l = 0.0f;
  std::vector<float> o = {};
};

float Maximum(float a, float b) { return std::isnan(a) || a >= b ? a : b; }  // N6: NaN beats all

// exp(s - m) of the keys [begin, end).
std::vector<float> ExponentialsOf(const Profile& profile, const float* s, int64_t begin,
                                  int64_t end, float m, Dtype storage) {
  std::vector<float> e;
  for (int64_t j = begin; j < end; ++j)
    e.push_back(profile.ExpOfScore(profile.Result(s[j] - m), storage));
  return e;
}

float LargestOf(const float* s, int64_t begin, int64_t end) {
  float m = s[begin];
  for (int64_t j = begin; j < end; ++j) m = Maximum(m, s[j]);
  return m;
}

// The sums of the keys [begin, end), relative to m: of the weights, and of what the place leaves of
// them times the values.
Partial PartialOf(const Profile& profile, const float* s, const FloatMatrix& v, int64_t begin,
                  int64_t end, float m, Dtype storage) {
  Partial b{.m = m};
  const std::vector<float> e = ExponentialsOf(profile, s, begin, end, m, storage);
  const auto p = [&](int64_t j) { return e[static_cast<size_t>(j)]; };
  const auto placed = [&](int64_t j) {
    return profile.At(RoundingPlace::kExponentials, p(j), storage);
  };
  b.l = profile.Sum(end - begin, p);
  for (int64_t d = 0; d < v.cols(); ++d) {
    const auto value = [&](int64_t j) { return v(begin + j, d); };
    b.o.push_back(profile.Dot(end - begin, placed, value, Order::kAscending, 0));
  }
  return b;
}

// The merge of rule N7.
void Merge(const Profile& profile, const Partial& b, Partial* all) {
  const float n = Maximum(all->m, b.m);
  const float a = profile.Exp(profile.Result(all->m - n));
  const float c = profile.Exp(profile.Result(b.m - n));
  const auto joined = [&](float x, float y) {
    const float x_a = profile.Result(x * a), y_c = profile.Result(y * c);
    return profile.PartialSum(profile.Result(x_a + y_c));
  };
  all->l = joined(all->l, b.l);
  for (size_t d = 0; d < all->o.size(); ++d) all->o[d] = joined(all->o[d], b.o[d]);
  all->m = n;
}

// The end of the block that starts at key `begin`: blocks of positions or contiguous parts are
// merged, for any other order all keys are one block with one maximum. Where exponentials are
// rounded, the place says what the blocks are.
int64_t BlockEnd(const Profile& profile, Keys keys, int64_t begin) {
  const bool rounds = profile.added.contains(RoundingPlace::kExponentials);
  const int64_t width = rounds                              ? kExponentialBlock
                        : profile.order == Order::kContract ? 512
                                                            : profile.width;
  const Order order = rounds ? Order::kBlocked : profile.order;
  switch (order) {
    case Order::kContract:
    case Order::kBlocked:
      return std::min(keys.end, (begin / width + 1) * width);
    case Order::kSplit:
      return std::min(keys.end, begin + (keys.count() + width - 1) / width);
    default:
      return keys.end;
  }
}

Partial MergedBlocks(const Profile& profile, const float* s, const FloatMatrix& v, Keys keys,
                     Dtype storage) {
  const bool running = profile.added.contains(RoundingPlace::kExponentials);
  Profile inside = profile;
  const int64_t first_end = BlockEnd(profile, keys, keys.first);
  if (first_end < keys.end && !running) {
    inside.order = profile.lanes > 1 ? Order::kLanes : Order::kAscending;
    inside.width = profile.lanes;
  }
  const auto block = [&](int64_t begin, int64_t end, float m) {
    m = Maximum(m, LargestOf(s, begin - keys.first, end - keys.first));
    return PartialOf(inside, s, v, begin - keys.first, end - keys.first, m, storage);
  };
  Partial all = block(keys.first, first_end, -INFINITY);
  for (int64_t begin = first_end; begin < keys.end;) {
    const int64_t end = BlockEnd(profile, keys, begin);
    Merge(profile, block(begin, end, running ? all.m : -INFINITY), &all);
    begin = end;
  }
  return all;
}

// Softmax first, with one maximum, its result rounded; then the sum over values.
std::vector<float> FromProbabilities(const Profile& profile, const float* s, const FloatMatrix& v,
                                     Dtype storage) {
  const float m = LargestOf(s, 0, v.rows());
  const std::vector<float> e = ExponentialsOf(profile, s, 0, v.rows(), m, storage);
  const float l = profile.Sum(v.rows(), [&](int64_t j) { return e[static_cast<size_t>(j)]; });
  std::vector<float> probabilities;
  for (const float x : e) {
    const float placed = profile.At(RoundingPlace::kExponentials, x, storage);
    const float quotient = profile.Divide(placed, l);
    probabilities.push_back(profile.At(RoundingPlace::kProbabilities, quotient, storage));
  }
  std::vector<float> o;
  for (int64_t d = 0; d < v.cols(); ++d) {
    o.push_back(profile.Dot(
        v.rows(), [&](int64_t j) { return probabilities[static_cast<size_t>(j)]; },
        [&](int64_t j) { return v(j, d); }));
  }
  return o;
}

}  // namespace
}  // namespace touchstone::exact

TOUCHSTONE_EVALUATE(attention) {
  const FloatMatrix& q = in.real("q");
  const int64_t H = in.size('H'), G = in.size('G'), S = in.size('S'), D = q.cols();
  const int64_t chunk = static_cast<int64_t>(in.attribute("chunk"));
  FloatMatrix y = FloatMatrix::Zero(q.rows(), D);
  for (int64_t i = 0; i < q.rows(); ++i) {
    const int64_t t = i / H, g = i % H / (H / G);
    const Keys visible = VisibleKeys(in.integer("positions").at(static_cast<size_t>(t)), chunk, S);
    if (visible.count() == 0) continue;
    const FloatMatrix keys = RowsOf(in.real("keys"), visible, g, G);
    const FloatMatrix v = RowsOf(in.real("values"), visible, g, G);

    std::vector<float> s;
    for (int64_t j = 0; j < keys.rows(); ++j) {
      const float dot = profile.Dot(
          D, [&](int64_t d) { return q(i, d); }, [&](int64_t d) { return keys(j, d); });
      const float score = profile.At(RoundingPlace::kScores, dot, in.storage);
      s.push_back(profile.At(RoundingPlace::kScaledScores, profile.Result(score * ScoreScale(D)),
                             in.storage));
    }
    if (profile.added.contains(RoundingPlace::kProbabilities)) {
      const auto o = FromProbabilities(profile, s.data(), v, in.storage);
      for (int64_t d = 0; d < D; ++d) {
        y(i, d) = profile.Output(o[static_cast<size_t>(d)], in.output);
      }
      continue;
    }
    const Partial all = MergedBlocks(profile, s.data(), v, visible, in.storage);
    for (int64_t d = 0; d < D; ++d) {
      const float quotient = profile.Divide(all.o[static_cast<size_t>(d)], all.l);
      y(i, d) = profile.Output(quotient, in.output);
    }
  }
  out->reals["y"] = y;
}
