// Every exponential, and what becomes of it, as an interval. Key j's score is s_j, its block's
// running maximum M_b, the largest score up to the end of block b; m is the last of them. Where
// probabilities are rounded, softmax has one maximum, and all keys are one block.
//
// Exponential. e_j = exp(s_j - M_b), and s_j <= M_b in every kernel. The difference is rounded, u
// of its size; the function is within 4u. A fast one: profile.h. What underflows is off by 2^-149.
//
// Rescaling. When M rises, what was summed is multiplied by exp(M_old - M_new): for each rise 4u
// and the product's u, and u (m - M_b) for all differences. Where no later block can rise nothing
// is multiplied: exp(0) is 1. Each rise may underflow by 2^-149.
//
// Sums. On its way a term meets at most n + B additions, B blocks, and its own product with v; a
// sum that is not rescaled has no term of higher order (enclosure.h, Contract):
//
//   eps = expm1((n + B + 1) u), or n u where B = 1
//
// l is the sum of what was not rounded. Terms are positive, so that no partial sum of a sound
// kernel falls below its largest term: one exponential is exp(0), and no quotient e_j / l exceeds
// 1.
//
// Probabilities. Where exponentials are not rounded first, a shift of all scores by one amount
// changes no quotient, so that M need not be known: relative to any number not below it, a weight
// is largest where its own exponential is as large, and all others are as small, as they can be. A
// quotient: 4u, or a reciprocal within 4u and a product, u; it may underflow.
//
// Output. sum_j t_j v_jd, t_j in [low_j, high_j], c_j their middle and r_j half their distance:
//
//   sum c_j v_jd +- sum (r_j + eps (c_j + r_j)) |v_jd| + sum c_j short_j + 2^-150 (2n + B + 2)
//
// and the sum itself where t and v are known and Contract knows that it is exact in every order:
// few rounded weights times 16-bit values may lie just between two 16-bit numbers. short_j is what
// v_jd itself is short of, |v_jd| the largest size that it allows. Where the exponentials were
// rounded, the quotient by l follows, with l anywhere in its interval.
//
// Nothing can be said of a column with an infinity or a NaN that is seen (its weight may underflow,
// or be rounded to 0, in some kernels only), nor where sum |v_jd| exceeds 2^127.
#include "reference/exact/rounded_softmax.h"

#include <algorithm>
#include <cmath>

#include "reference/exact/profile.h"

namespace touchstone::exact {
namespace {

constexpr double kUnderflow = 2.0 * kSubnormal;  // of a function and its product

struct Interval {
  double low = 0.0, high = 0.0;
};

// exp of a difference that is between the two, and not above 0 in any kernel.
class Exponential {
 public:
  explicit Exponential(bool fast)
      : error_(fast ? kFastExpError : kFunctionError),
        argument_(fast ? kFastExpArgumentError : kUnit),
        tiny_(fast ? kFastExpFlush + kUnderflow : kUnderflow) {}

  // `size` is the largest that the difference may have.
  Interval Of(double low, double high, double size) const {
    const double moved = argument_ * size;
    return {std::max(0.0, std::exp(low - moved) * (1.0 - error_) - tiny_),
            std::exp(std::min(0.0, high + moved)) * (1.0 + error_) + tiny_};
  }
  double error() const { return error_; }

 private:
  double error_, argument_, tiny_;
};

// What multiplies the values, a row a query and 0 where a key is not seen; and the divisor.
struct Multipliers {
  Matrix value, low, high;
  std::vector<Interval> divisor;
  std::vector<double> eps, blocks;
};

// The scores that one query sees.
struct Row {
  const double *value, *lower, *upper;
  int64_t n, first_position;
};

double Rounding(double x, Dtype storage, bool rounds) { return rounds ? RoundReal(x, storage) : x; }

// Exponentials of blocks with a running maximum; returns l.
Interval InBlocks(const SoftmaxPlaces& places, const Row& s, int64_t width, int64_t blocks,
                  double eps, double* low, double* high) {
  const Exponential exponential(places.fast_exponential);
  struct Block {
    int64_t end = 0;
    Interval own, running;  // maxima
  };
  std::vector<Block> all;
  for (int64_t begin = 0; begin < s.n; begin = all.back().end) {
    Block b;
    b.end = std::min(s.n, ((s.first_position + begin) / width + 1) * width - s.first_position);
    b.own = {*std::max_element(s.lower + begin, s.lower + b.end),
             *std::max_element(s.upper + begin, s.upper + b.end)};
    b.running = all.empty() ? b.own
                            : Interval{std::max(all.back().running.low, b.own.low),
                                       std::max(all.back().running.high, b.own.high)};
    all.push_back(b);
  }

  Interval l;
  const Interval last = all.back().running;
  double rises = 0.0;
  for (size_t b = all.size(); b-- > 0;) {
    const Interval M = all[b].running;
    Interval factor{1.0, 1.0};
    if (rises > 0.0) {
      const double off = rises * (kFunctionError + 2.0 * kUnit) + kUnit * (last.high - M.low);
      factor = {std::max(0.0, std::exp(M.low - last.high - off) - rises * kUnderflow),
                std::exp(std::min(0.0, M.high - last.low) + off) + rises * kUnderflow};
    }
    for (int64_t j = b == 0 ? 0 : all[b - 1].end; j < all[b].end; ++j) {
      const double least = s.lower[j] - M.high, most = std::min(0.0, s.upper[j] - M.low);
      const Interval e = exponential.Of(least, most, -least);
      l.low += factor.low * e.low;
      l.high += factor.high * e.high;
      const bool rounds = places.exponentials;
      const double down = Rounding(e.low, places.storage, rounds);
      const double up = Rounding(e.high, places.storage, rounds);
      low[j] = std::max(0.0, factor.low * down - rises * kUnderflow);
      high[j] = factor.high * up + rises * kUnderflow;
    }
    if (b > 0 && all[b].own.high > all[b - 1].running.low) rises += 1.0;
  }
  const double none = (1.0 - exponential.error()) * (1.0 - eps);
  const double tiny = static_cast<double>(blocks) * kUnderflow;
  return {std::max({l.low * (1.0 - eps) - tiny, none, 0.0}), l.high * (1.0 + eps) + tiny};
}

// Quotients that no exponential's rounding precedes.
void Quotients(const SoftmaxPlaces& places, const Row& s, double* low, double* high) {
  const Exponential exponential(places.fast_exponential);
  const double top = *std::max_element(s.upper, s.upper + s.n);
  Interval all;
  for (int64_t j = 0; j < s.n; ++j) {
    const Interval e = exponential.Of(s.lower[j] - top, s.upper[j] - top, top - s.lower[j]);
    low[j] = e.low;
    high[j] = e.high;
    all.low += e.low;
    all.high += e.high;
  }
  const double sum = static_cast<double>(s.n) * kUnit;
  const double more = (1.0 + kFunctionError) * (1.0 + kUnit);
  const double less = (1.0 - kFunctionError) * (1.0 - kUnit);
  for (int64_t j = 0; j < s.n; ++j) {
    const double others_low = std::max(0.0, all.low - low[j]);
    const double others_high = std::max(0.0, all.high - high[j]);
    const double least = low[j] > 0.0 ? low[j] / (low[j] + others_high) / (1.0 + sum) : 0.0;
    const double most = sum < 1.0 ? high[j] / (high[j] + others_low) / (1.0 - sum) : 1.0;
    low[j] = std::max(0.0, least * less - kUnderflow);
    high[j] = std::min(1.0, most) * more + kUnderflow;
  }
}

void SoftmaxOfRow(const SoftmaxPlaces& places, const Row& s, int64_t row, int64_t column,
                  Multipliers* y) {
  const double n = static_cast<double>(s.n);
  double* const value = &y->value(row, column);
  double* const low = &y->low(row, column);
  double* const high = &y->high(row, column);
  const double top = *std::max_element(s.value, s.value + s.n);
  double l = 0.0;
  for (int64_t j = 0; j < s.n; ++j) l += value[j] = std::exp(s.value[j] - top);
  for (int64_t j = 0; j < s.n; ++j) value[j] /= l;

  const int64_t width = places.probabilities ? s.first_position + s.n : kExponentialBlock;
  const int64_t blocks = (s.first_position + s.n - 1) / width - s.first_position / width + 1;  // B
  const double eps =
      blocks == 1 ? n * kUnit : std::expm1((n + static_cast<double>(blocks) + 1.0) * kUnit);
  const auto r = static_cast<size_t>(row);
  y->eps[r] = eps;
  y->blocks[r] = static_cast<double>(blocks);
  if (!places.exponentials) {
    Quotients(places, s, low, high);
  } else {
    y->divisor[r] = InBlocks(places, s, width, blocks, eps, low, high);
  }
  if (!places.probabilities) return;
  const Interval divisor = y->divisor[r];
  y->divisor[r] = {1.0, 1.0};
  for (int64_t j = 0; j < s.n; ++j) {
    if (places.exponentials) {  // rounded ones may exceed the l of those that were not
      const double error = kFunctionError + 2.0 * kUnit;
      low[j] = std::max(0.0, low[j] / divisor.high * (1.0 - error) - kUnderflow);
      high[j] = high[j] / divisor.low * (1.0 + error) + kUnderflow;
    }
    low[j] = RoundReal(low[j], places.storage);
    high[j] = RoundReal(high[j], places.storage);
  }
}

Matrix Product(const Matrix& a, const Matrix& b) { return (a.matrix() * b.matrix()).array(); }

// Sums of known weights and values: those that are exact in every order have no error.
void SettleExactSums(const Matrix& weights, const Matrix& values, Matrix* sum, Matrix* error,
                     int64_t row) {
  const Enclosure known = Contract(Exactly(weights), Exactly(Matrix(values.transpose())));
  for (int64_t d = 0; d < values.cols(); ++d) {
    if (known.lower(0, d) != known.upper(0, d)) continue;
    (*sum)(row, d) = known.lower(0, d);
    (*error)(row, d) = 0.0;
  }
}

}  // namespace

Enclosure RoundedSoftmax(const SoftmaxPlaces& places, const Scores& scores,
                         const std::vector<Keys>& visible, int64_t first, const Enclosure& v) {
  const int64_t rows = scores.value.rows(), cols = scores.value.cols(), D = v.cols();
  const auto size = static_cast<size_t>(rows);
  const Matrix zero = Matrix::Zero(rows, cols);
  Multipliers t{zero,
                zero,
                zero,
                std::vector<Interval>(size, {1.0, 1.0}),
                std::vector<double>(size, 0.0),
                std::vector<double>(size, 0.0)};
  Matrix seen = zero;
  Enclosure y = Exactly(Matrix::Zero(rows, D));
  std::vector<bool> said(size, false);  // nothing is left to sum
  for (int64_t i = 0; i < rows; ++i) {
    const Keys keys = visible[static_cast<size_t>(i)];
    const int64_t begin = keys.first - first, n = keys.count();
    said[static_cast<size_t>(i)] = true;
    if (n == 0) continue;  // +0
    if (scores.nan.row(i).segment(begin, n).any() || scores.open.row(i).segment(begin, n).any()) {
      for (Matrix* const end : {&y.value, &y.lower, &y.upper}) end->row(i).setConstant(NAN);
      y.undecidable.row(i).setConstant(!scores.nan.row(i).segment(begin, n).any());
      continue;
    }
    said[static_cast<size_t>(i)] = false;
    seen.row(i).segment(begin, n).setConstant(1.0);
    SoftmaxOfRow(
        places,
        {&scores.value(i, begin), &scores.lower(i, begin), &scores.upper(i, begin), n, keys.first},
        i, begin, &t);
  }

  // Of v: what is finite, with the middle and the size of its interval.
  const Mask odd =
      v.undecidable || !v.value.isFinite() || !v.lower.isFinite() || !v.upper.isFinite();
  const Matrix low = odd.select(0.0, v.lower), high = odd.select(0.0, v.upper);
  const Matrix middle = 0.5 * (low + high), short_of = 0.5 * (high - low);
  const Matrix largest = low.abs().max(high.abs());
  const Matrix value = Product(t.value, odd.select(0.0, v.value));
  const Matrix center = 0.5 * (t.low + t.high), radius = 0.5 * (t.high - t.low);
  Matrix weight = radius;
  for (int64_t i = 0; i < rows; ++i) weight.row(i) += t.eps[static_cast<size_t>(i)] * t.high.row(i);
  Matrix sum = Product(center, middle), error = Product(weight, largest);
  if ((short_of != 0.0).any()) error += Product(center, short_of);
  for (int64_t i = 0; i < rows; ++i) {
    const Keys keys = visible[static_cast<size_t>(i)];
    const int64_t begin = keys.first - first, n = keys.count();
    const bool known = (radius.row(i) == 0.0).all() && t.blocks[static_cast<size_t>(i)] == 1.0 &&
                       (short_of.middleRows(begin, n) == 0.0).all();
    if (!known) continue;
    SettleExactSums(center.row(i).segment(begin, n), middle.middleRows(begin, n), &sum, &error, i);
  }
  Mask open = Mask::Constant(rows, D, false);
  if (odd.any()) open = Product(seen, odd.cast<double>()) > 0.0;
  if (largest.maxCoeff() > kOverflow / static_cast<double>(cols)) {
    open = open || Product(seen, largest) > kOverflow;
  }

  for (int64_t i = 0; i < rows; ++i) {
    const auto r = static_cast<size_t>(i);
    if (said[r]) continue;
    const Interval l = t.divisor[r];
    const double n = static_cast<double>(visible[r].count());
    const double tiny = (2.0 * n + t.blocks[r] + 2.0) * kSubnormal;
    // Where the quotients came first, the last operation of the sum is the op's.
    const double quotient = places.probabilities ? 0.0 : kFunctionError + 2.0 * kUnit;
    for (int64_t d = 0; d < D; ++d) {
      y.value(i, d) = value(i, d);
      y.undecidable(i, d) = open(i, d);
      const double least = sum(i, d) - error(i, d) - tiny, most = sum(i, d) + error(i, d) + tiny;
      const double down = std::min(least / l.low, least / l.high);
      const double up = std::max(most / l.low, most / l.high);
      y.lower(i, d) = down - quotient * std::fabs(down) - tiny;
      y.upper(i, d) = up + quotient * std::fabs(up) + tiny;
    }
  }
  return y;
}

}  // namespace touchstone::exact
