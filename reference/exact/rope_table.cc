// RoPE table: cosine and sine of the angle RN32(position f). The rounding of the angle is part of
// the contract, not of the error: without it, one ulp of f is half a radian at position 10 million.
// A binary32 product of two binary32 numbers has one right value, so the angle of an exact f is
// exact, and what remains is the function:
//
//   |computed - real| <= 4u |real| + 2^-150
//
// Where f is itself only enclosed, the angle's width is added: neither function is steeper than 1.
#include <cmath>

#include "reference/exact/second_reference.h"

// [doc: second reference]
TOUCHSTONE_ENCLOSE(rope_table) {
  const Enclosure& f = in.real("f");
  const Integers& positions = in.integer("positions");
  const int64_t T = static_cast<int64_t>(positions.size()), J = f.cols();
  Matrix value(T * J, 2), width(T * J, 2);
  for (int64_t t = 0; t < T; ++t) {
    const double position = static_cast<double>(positions[static_cast<size_t>(t)]);
    const auto angle = [&](double frequency) {
      return RoundReal(position * frequency, Dtype::kF32);
    };
    for (int64_t j = 0; j < J; ++j) {
      const double real = angle(f.value(0, j));
      value.row(t * J + j) << std::cos(real), std::sin(real);
      width.row(t * J + j).setConstant(angle(f.upper(0, j)) - angle(f.lower(0, j)));
    }
  }
  out->reals["table"] = Within(value, width + kFunctionError * (value.abs() + width) + Underflow());
}
// [doc: end second reference]

TOUCHSTONE_EVALUATE(rope_table) {
  const FloatMatrix& f = in.real("f");
  const Integers& positions = in.integer("positions");
  const int64_t T = static_cast<int64_t>(positions.size()), J = f.cols();
  FloatMatrix table(T * J, 2);
  for (int64_t t = 0; t < T; ++t) {
    for (int64_t j = 0; j < J; ++j) {
      const float angle =
          profile.Result(static_cast<float>(positions[static_cast<size_t>(t)]) * f(0, j));
      table(t * J + j, 0) = profile.Output(profile.Cos(angle), Dtype::kF32);
      table(t * J + j, 1) = profile.Output(profile.Sin(angle), Dtype::kF32);
    }
  }
  out->reals["table"] = table;
}
