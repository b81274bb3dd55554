// What is known about a tensor without believing any kernel: the real value of every element, and
// an interval that holds whatever a sound binary32 computation may have produced for it.
//
// The interval is taken before the last rounding. With [lower, upper] of an element, the accepted
// set of a kernel's output is [RN(lower), RN(upper)], RN the rounding to the output's storage.
//
// Assumptions (the only ones): products and sums in binary32 or wider, in any order, fused or not;
// exp, log, pow, sin, cos, square root, its reciprocal and division within 2 ulp, that is 4u
// relative; u = 2^-24; division by a power of two exact; each rounding whose result may be
// subnormal adds 2^-150. Where partial sums may exceed 2^127 in some order, the element is
// undecidable. An allowance (allowance.h) adds to them while it lives.
//
// All arithmetic here is binary64. Its own error is covered by kUnit, which is u (1 + 2^-20): the
// excess 2^-44 for each binary32 rounding is 512 times the 2^-53 of the binary64 operation that
// stands for it.
#pragma once

#include <Eigen/Dense>
#include <cstdint>
#include <functional>

#include "reference/exact/allowance.h"
#include "reference/formats/dtype.h"
#include "reference/formats/tensor.h"

namespace touchstone::exact {

using Matrix = Eigen::Array<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
using Mask = Eigen::Array<bool, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

inline constexpr double kUnit = 0x1p-24 * (1.0 + 0x1p-20);
inline constexpr double kFunctionError = 4.0 * kUnit;  // 2 ulp of a binary32 function
inline constexpr double kSubnormal = 0x1p-150;         // half the smallest subnormal
inline constexpr double kOverflow = 0x1p127;
inline constexpr double kSmallestNormal = 0x1p-126;

// What an operation whose result may be subnormal loses, and the sum that it joins: half the
// smallest subnormal, as sums of binary32 numbers have no subnormal rounding. Where subnormals may
// be flushed, 2^-126 each.
double Underflow();
// What a sum of binary32 numbers loses by it: nothing, or 2^-126.
double FlushedSum();
// The error of an operand of a contraction, relative, and where it is subnormal: 0, or tf32's.
double OperandError();
double SubnormalOperandError();

struct Enclosure {
  Matrix value;         // no rounding at all
  Matrix lower, upper;  // a sound binary32 computation lies between, rounding places included
  Mask undecidable;     // true: nothing can be said of this element

  int64_t rows() const { return value.rows(); }
  int64_t cols() const { return value.cols(); }
};

// Known exactly: inputs.
Enclosure Exactly(const Matrix& value);
Enclosure Exactly(const Tensor& tensor);  // flattened to (all but the last extent, last extent)
// Known as value +- radius, before any rounding place.
Enclosure Within(const Matrix& value, const Matrix& radius);

// (rows, cols) elements of x: the one at (i, j) is x's at the row-major index source(i, j). Rows of
// a table, a head's share of a token's row, the partner of a pair.
Enclosure Gather(const Enclosure& x, int64_t rows, int64_t cols,
                 const std::function<int64_t(int64_t i, int64_t j)>& source);

// What a rounding place inside an op does to its value: rounded, left alone, or either (the hull).
enum class Place { kOn, kOff, kHull };
Enclosure AtPlace(const Enclosure& x, Dtype storage, Place place);

// What is read from memory, or stored in it: 0 joins where an element may be flushed.
Enclosure MayBeFlushed(Enclosure x);

// Finite values that binary32 may not hold: an end beyond 2^127.
Mask MayOverflow(const Enclosure& x);

// The smallest enclosure that holds both; value is a's. For results with and without a place.
Enclosure Hull(const Enclosure& a, const Enclosure& b);

// Rounding of a binary64 number as binary32 and, for bf16, as bf16 of that.
double RoundReal(double x, Dtype storage);

// One binary32 rounding (or a function within `error` relative) on top of an enclosure.
Enclosure Rounded(const Enclosure& x, double error = kUnit);

// The error of an op's last operation where that is one IEEE operation: none in f32, because the
// accepted set rounds the interval's ends to f32 anyway and IEEE gives one right value (binary64
// then binary32 rounds sums, products, quotients and roots of binary32 numbers correctly); one
// binary32 rounding before the one to bf16.
constexpr double LastOperation(Dtype storage) { return storage == Dtype::kF32 ? 0.0 : kUnit; }

// The relative error of a division by a number that is known: none where it is a power of two.
double DivisionError(double divisor);

// Element by element, each with the rounding of its result included. Shapes agree, or b has one
// row or one column that is used for all. Where some a and b give a NaN or an infinity and others
// do not, the element is undecidable.
Enclosure Add(const Enclosure& a, const Enclosure& b, double error = kUnit);
Enclosure Subtract(const Enclosure& a, const Enclosure& b, double error = kUnit);
Enclosure Multiply(const Enclosure& a, const Enclosure& b, double error = kUnit);
Enclosure Divide(const Enclosure& a, const Enclosure& b, double error = kFunctionError);

// a b^T: every element a contraction of length K = a.cols() = b.cols(), in any order, fused or not:
//   |computed - real| <= K u sum |a_k b_k|      (Jeannerod and Rump: no higher-order term)
//
// and K Underflow() more. Operands in tf32 are intervals: each end that has more than 11
// significant bits moves by OperandError() of its size, and the widths of both join the error as
// those of any operand do, to second order.
Enclosure Contract(const Enclosure& a, const Enclosure& b);

// Keeps the class of non-finite values: where value is NaN or infinite, so are both ends.
void Settle(Enclosure* x);

}  // namespace touchstone::exact
