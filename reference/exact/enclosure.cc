#include "reference/exact/enclosure.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <functional>
#include <limits>

namespace touchstone::exact {
namespace {

// b repeated to the shape of a, where b has one row or one column.
Enclosure Repeated(const Enclosure& b, int64_t rows, int64_t cols) {
  if (b.rows() == rows && b.cols() == cols) return b;
  TOUCHSTONE_REQUIRE((b.rows() == 1 || b.rows() == rows) && (b.cols() == 1 || b.cols() == cols));
  const int64_t down = b.rows() == rows ? 1 : rows, across = b.cols() == cols ? 1 : cols;
  return {b.value.replicate(down, across), b.lower.replicate(down, across),
          b.upper.replicate(down, across), b.undecidable.replicate(down, across)};
}

// The range of f over the four corners, for f monotone in each argument.
Enclosure Corners(const Enclosure& a, const Enclosure& wide_b, double error,
                  const std::function<double(double, double)>& f) {
  const Enclosure b = Repeated(wide_b, a.rows(), a.cols());
  Enclosure y{Matrix(a.rows(), a.cols()), Matrix(a.rows(), a.cols()), Matrix(a.rows(), a.cols()),
              a.undecidable || b.undecidable};
  for (int64_t i = 0; i < a.rows(); ++i) {
    for (int64_t j = 0; j < a.cols(); ++j) {
      const double corner[] = {f(a.lower(i, j), b.lower(i, j)), f(a.lower(i, j), b.upper(i, j)),
                               f(a.upper(i, j), b.lower(i, j)), f(a.upper(i, j), b.upper(i, j))};
      const double value = f(a.value(i, j), b.value(i, j));
      for (const double end : corner) {
        const bool same_class =
            std::isnan(end) == std::isnan(value) && (!std::isinf(value) || end == value);
        if (!same_class) y.undecidable(i, j) = true;
      }
      y.value(i, j) = value;
      if (!std::isfinite(value)) continue;  // Settle sets the ends
      y.lower(i, j) = *std::min_element(std::begin(corner), std::end(corner));
      y.upper(i, j) = *std::max_element(std::begin(corner), std::end(corner));
    }
  }
  Settle(&y);
  return Rounded(y, error);
}

// An end of an operand's interval after its rounding to tf32, which is monotone and leaves numbers
// of 11 significant bits as they are. One that may round beyond binary32 is infinite.
double AsOperand(double end, double direction) {
  if (!std::isfinite(end) || end == 0.0) return end;
  const double digits = std::ldexp(1.0, std::max(std::ilogb(end), -126) - 10);
  if (std::fmod(end, digits) == 0.0) return end;
  const double size = std::fabs(end);
  const double moved = end + direction * std::max(OperandError() * size, SubnormalOperandError());
  return std::fabs(moved) >= 0x1.ffep127 ? std::copysign(INFINITY, end) : moved;
}

Enclosure AsOperand(Enclosure x) {
  x.lower = x.lower.unaryExpr([](double end) { return AsOperand(end, -1.0); });
  x.upper = x.upper.unaryExpr([](double end) { return AsOperand(end, 1.0); });
  Settle(&x);
  return x;
}

// The largest power of two of which every finite element of a row is a multiple; infinity for
// zeros.
Matrix Quantum(const Matrix& x) {
  Matrix q(x.rows(), 1);
  for (int64_t i = 0; i < x.rows(); ++i) {
    int least = std::numeric_limits<int>::max();
    for (int64_t k = 0; k < x.cols(); ++k) {
      const uint64_t bits = std::bit_cast<uint64_t>(x(i, k));
      const int exponent = static_cast<int>(bits >> 52 & 0x7ff);
      const uint64_t digits = bits & 0xfffffffffffff;
      if (exponent == 0x7ff || (exponent == 0 && digits == 0)) continue;  // not finite, or zero
      // A normal number has one digit more, and subnormals the exponent of the smallest.
      const uint64_t whole = exponent == 0 ? digits : digits | uint64_t{1} << 52;
      least = std::min(least, std::max(exponent, 1) - 1075 + std::countr_zero(whole));
    }
    q(i, 0) = least == std::numeric_limits<int>::max() ? std::numeric_limits<double>::infinity()
                                                       : std::ldexp(1.0, least);
  }
  return q;
}

}  // namespace

double Underflow() { return Allowed().ftz ? 2.0 * kSmallestNormal : kSubnormal; }
double FlushedSum() { return Allowed().ftz ? kSmallestNormal : 0.0; }

double OperandError() {
  return Allowed().tf32_truncated ? 0x1p-10 : Allowed().tf32 ? 0x1p-11 : 0.0;
}
double SubnormalOperandError() {
  return Allowed().tf32_truncated ? 0x1p-136 : Allowed().tf32 ? 0x1p-137 : 0.0;
}

Enclosure MayBeFlushed(Enclosure x) {
  if (!Allowed().ftz) return x;
  const Mask small = x.lower < kSmallestNormal && x.upper > -kSmallestNormal;
  x.lower = small.select(x.lower.min(0.0), x.lower);
  x.upper = small.select(x.upper.max(0.0), x.upper);
  return x;
}

Enclosure Exactly(const Matrix& value) {
  return {value, value, value, Mask::Constant(value.rows(), value.cols(), false)};
}

Enclosure Exactly(const Tensor& tensor) {
  const int64_t cols = tensor.shape.empty() ? 1 : tensor.shape.back();
  const int64_t rows = cols == 0 ? 0 : tensor.count() / cols;
  Matrix value(rows, cols);
  for (int64_t i = 0; i < value.size(); ++i) value.data()[i] = tensor.Real(i);
  return Exactly(value);
}

Enclosure Within(const Matrix& value, const Matrix& radius) {
  Enclosure x{value, value - radius, value + radius,
              Mask::Constant(value.rows(), value.cols(), false)};
  Settle(&x);
  return x;
}

Enclosure Gather(const Enclosure& x, int64_t rows, int64_t cols,
                 const std::function<int64_t(int64_t, int64_t)>& source) {
  Enclosure y{Matrix(rows, cols), Matrix(rows, cols), Matrix(rows, cols), Mask(rows, cols)};
  for (int64_t i = 0; i < rows; ++i) {
    for (int64_t j = 0; j < cols; ++j) {
      const int64_t at = source(i, j);
      TOUCHSTONE_REQUIRE(0 <= at && at < x.value.size());
      y.value(i, j) = x.value.data()[at];
      y.lower(i, j) = x.lower.data()[at];
      y.upper(i, j) = x.upper.data()[at];
      y.undecidable(i, j) = x.undecidable.data()[at];
    }
  }
  return y;
}

double RoundReal(double x, Dtype storage) {
  // The conversion rounds to nearest even; out of range it gives an infinity under IEEE-754.
  const float single = static_cast<float>(x);
  return storage == Dtype::kBf16 ? static_cast<double>(Widen(NarrowToBf16(single)))
                                 : static_cast<double>(single);
}

Enclosure AtPlace(const Enclosure& x, Dtype storage, Place place) {
  if (place == Place::kOff || storage == Dtype::kF32) return x;
  Enclosure y = x;
  const auto round = [storage](double v) { return RoundReal(v, storage); };
  y.lower = x.lower.unaryExpr(round);
  y.upper = x.upper.unaryExpr(round);
  return place == Place::kOn ? y : Hull(x, y);
}

Mask MayOverflow(const Enclosure& x) {
  return x.value.isFinite() && x.lower.abs().max(x.upper.abs()) > kOverflow;
}

Enclosure Hull(const Enclosure& a, const Enclosure& b) {
  Enclosure y{a.value, a.lower.min(b.lower), a.upper.max(b.upper), a.undecidable || b.undecidable};
  Settle(&y);
  return y;
}

void Settle(Enclosure* x) {
  for (int64_t i = 0; i < x->value.size(); ++i) {
    const double value = x->value.data()[i];
    if (std::isfinite(value)) continue;
    x->lower.data()[i] = value;
    x->upper.data()[i] = value;
  }
}

Enclosure Rounded(const Enclosure& x, double error) {
  if (error == 0.0) return x;
  Enclosure y = x;
  // One IEEE operation is monotone: it never crosses an end that is itself a binary32 number.
  const auto crossed = [error](double end) {
    const bool flushed = Allowed().ftz && end != 0.0 && std::fabs(end) < kSmallestNormal;
    const bool stays =
        error <= kUnit && static_cast<double>(static_cast<float>(end)) == end && !flushed;
    return stays ? 0.0 : error * std::fabs(end) + Underflow();
  };
  y.lower = x.lower - x.lower.unaryExpr(crossed);
  y.upper = x.upper + x.upper.unaryExpr(crossed);
  Settle(&y);
  return y;
}

double DivisionError(double divisor) {
  int exponent;
  return std::fabs(std::frexp(divisor, &exponent)) == 0.5 ? 0.0 : kFunctionError;
}

Enclosure Add(const Enclosure& a, const Enclosure& b, double error) {
  return Corners(a, b, error, std::plus<>());
}
Enclosure Subtract(const Enclosure& a, const Enclosure& b, double error) {
  return Corners(a, b, error, std::minus<>());
}
Enclosure Multiply(const Enclosure& a, const Enclosure& b, double error) {
  return Corners(a, b, error, std::multiplies<>());
}
Enclosure Divide(const Enclosure& a, const Enclosure& b, double error) {
  Enclosure y = Corners(a, b, error, std::divides<>());
  const Enclosure divisor = Repeated(b, a.rows(), a.cols());
  const Mask crosses_zero = divisor.lower < 0.0 && divisor.upper > 0.0;
  y.undecidable = y.undecidable || crosses_zero;
  return y;
}

namespace {

Enclosure ContractOperands(const Enclosure& a, const Enclosure& b) {
  const auto finite = [](const Matrix& x) {
    return x.unaryExpr([](double v) { return std::isfinite(v) ? v : 0.0; }).eval();
  };
  // Midpoints and radii carry inputs that are themselves only enclosed.
  const Matrix a_mid = 0.5 * (a.lower + a.upper), a_radius = finite(0.5 * (a.upper - a.lower));
  const Matrix b_mid = 0.5 * (b.lower + b.upper), b_radius = finite(0.5 * (b.upper - b.lower));
  const Matrix a_size = finite(a_mid).abs() + a_radius, b_size = finite(b_mid).abs() + b_radius;
  const auto product = [](const Matrix& x, const Matrix& y) -> Matrix {
    return (x.matrix() * y.matrix().transpose()).array();
  };

  const double length = static_cast<double>(a.cols());
  const Matrix size = product(a_size, b_size);  // sum |a_k b_k|
  const bool exact_inputs = (a_radius == 0.0).all() && (b_radius == 0.0).all();
  Matrix error = length * (kUnit * size + Underflow());
  if (exact_inputs) {
    // Known multiples of q whose sizes add up to at most 2^24 q: every partial sum, in any order
    // and fused or not, is a binary32 number.
    const Matrix q = product(Quantum(a_mid), Quantum(b_mid));
    const double least = Allowed().ftz ? kSmallestNormal : 0x1p-149;
    error = (size <= 0x1p24 * q && q >= least).select(0.0, error);
  } else {
    error += product(a_radius, b_size) + product(finite(a_mid).abs(), b_radius);
  }
  const Matrix middle = product(a_mid, b_mid);

  Enclosure y{product(a.value, b.value), middle - error, middle + error, size + error > kOverflow};
  // A finite value with an infinite end: the middle of its interval says nothing.
  const auto no_middle = [](const Enclosure& x) -> Mask {
    return x.undecidable || (x.value.isFinite() && !(x.lower.isFinite() && x.upper.isFinite()));
  };
  const Mask a_open = no_middle(a), b_open = no_middle(b);
  // An infinity times what may be zero in one computation and not in another, by underflow say, is
  // a NaN or an infinity.
  const auto may_be_zero = [](const Enclosure& x) -> Matrix {
    return (x.lower <= 0.0 && 0.0 <= x.upper && x.lower < x.upper).cast<double>();
  };
  const auto infinite = [](const Enclosure& x) -> Matrix { return x.value.isInf().cast<double>(); };
  if (a.value.isInf().any() || b.value.isInf().any()) {
    const Matrix meets =
        product(may_be_zero(a), infinite(b)) + product(infinite(a), may_be_zero(b));
    y.undecidable = y.undecidable || (meets > 0.0 && !y.value.isNaN());
  }
  for (int64_t i = 0; i < a.rows(); ++i) {
    if (a_open.row(i).any()) y.undecidable.row(i).setConstant(true);
  }
  for (int64_t j = 0; j < b.rows(); ++j) {
    if (b_open.row(j).any()) y.undecidable.col(j).setConstant(true);
  }
  Settle(&y);
  return y;
}

// A dozen matrices of b's size at once: of a large b they would be gigabytes.
constexpr int64_t kLargeB = int64_t{1} << 22, kBlock = int64_t{1} << 20;

Enclosure ContractBlocks(const Enclosure& a, const Enclosure& b) {
  Enclosure y;
  y.value = y.lower = y.upper = Matrix::Zero(a.rows(), b.rows());
  y.undecidable = Mask::Constant(a.rows(), b.rows(), false);
  const int64_t rows = std::max<int64_t>(1, kBlock / b.cols());
  for (int64_t j = 0; j < b.rows(); j += rows) {
    const int64_t count = std::min(rows, b.rows() - j);
    const Enclosure block =
        ContractOperands(a, {b.value.middleRows(j, count), b.lower.middleRows(j, count),
                             b.upper.middleRows(j, count), b.undecidable.middleRows(j, count)});
    y.value.middleCols(j, count) = block.value;
    y.lower.middleCols(j, count) = block.lower;
    y.upper.middleCols(j, count) = block.upper;
    y.undecidable.middleCols(j, count) = block.undecidable;
  }
  return y;
}

}  // namespace

Enclosure Contract(const Enclosure& a, const Enclosure& b) {
  const auto contract = b.value.size() > kLargeB ? ContractBlocks : ContractOperands;
  if (OperandError() == 0.0) return contract(a, b);
  return contract(AsOperand(a), AsOperand(b));
}

}  // namespace touchstone::exact
