#include "reference/exact/attention_scores.h"

#include <algorithm>
#include <cmath>

namespace touchstone::exact {
namespace {

Enclosure Scaled(const Enclosure& dot, double alpha) {
  return Multiply(dot, Exactly(Matrix::Constant(1, 1, alpha)));
}

}  // namespace

Keys VisibleKeys(int64_t position, int64_t chunk, int64_t S) {
  const int64_t first = chunk > 0 ? position - position % chunk : 0;
  return {first, std::max(first, position < S ? position + 1 : S)};
}

float ScoreScale(int64_t D) { return static_cast<float>(1.0 / std::sqrt(static_cast<double>(D))); }

Enclosure RowsOf(const Enclosure& x, Keys keys, int64_t g, int64_t G) {
  return {RowsOf(x.value, keys, g, G), RowsOf(x.lower, keys, g, G), RowsOf(x.upper, keys, g, G),
          RowsOf(x.undecidable, keys, g, G)};
}

Matrix FiniteSize(const Enclosure& x) {
  return x.lower.abs().max(x.upper.abs()).unaryExpr([](double a) {
    return std::isfinite(a) ? a : 0.0;
  });
}

Scores ScoresOf(const Enclosure& q, const Enclosure& keys, Dtype storage, Place scores,
                Place scaled_scores) {
  const Enclosure dot = Contract(q, keys);
  const double alpha = static_cast<double>(ScoreScale(q.cols()));
  Scores y;
  y.nan = !dot.undecidable && (dot.value.isNaN() || dot.value == INFINITY);
  y.open = dot.undecidable || !dot.lower.isFinite() || !dot.upper.isFinite();

  y.value = alpha * dot.value;
  const Matrix size = (FiniteSize(q).matrix() * FiniteSize(keys).matrix().transpose()).array();
  const double D = static_cast<double>(q.cols());
  Matrix at_least = alpha * D * (kUnit * size + Underflow());
  // What alpha has scaled is rounded to tf32, whatever q was; and may be flushed.
  at_least += alpha * OperandError() * (2.0 + OperandError()) * size;
  const Matrix one = Matrix::Constant(q.rows(), q.cols(), FlushedSum() + SubnormalOperandError());
  at_least += (one.matrix() * FiniteSize(keys).matrix().transpose()).array();
  y.center = y.value;
  y.short_of = (alpha * (dot.upper - dot.value).max(dot.value - dot.lower)).max(at_least);
  y.scaling = 3.0 * kUnit * alpha * size;
  const Matrix more = y.scaling + (dot.lower == dot.upper).select(at_least, 0.0);
  y.lower = alpha * dot.lower - more;
  y.upper = alpha * dot.upper + more;

  if (storage == Dtype::kF32) scores = scaled_scores = Place::kOff;
  if (scores == Place::kOff && scaled_scores == Place::kOff) return y;
  Enclosure s{y.value, y.lower, y.upper, y.open};
  if (scores != Place::kOff) {
    const Enclosure rounded = Scaled(AtPlace(dot, storage, Place::kOn), alpha);
    s = scores == Place::kHull ? Hull(s, rounded) : rounded;
  }
  s = AtPlace(s, storage, scaled_scores);
  y.lower = s.lower;
  y.upper = s.upper;
  y.center = 0.5 * (s.lower + s.upper);
  y.short_of = 0.5 * (s.upper - s.lower);
  y.scaling = 3.0 * kUnit * s.lower.abs().max(s.upper.abs());
  return y;
}

}  // namespace touchstone::exact
