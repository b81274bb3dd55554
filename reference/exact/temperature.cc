// Attention temperature: y = RN(q (log(n + 1) s + 1)), n = floor((position + 1) / floor_scale).
//
//   quotient   4u relative; none where floor_scale is a power of two, as the published one is, nor
//              where it is an integer, which a division gives exactly and a floor tells from less
//   n          every integer that the quotient's interval reaches: a choice by margin
//   n + 1      u where it may exceed 2^24, else exact
//   log        4u; times s, plus 1: u each. log(1) = 0 exactly, and so is the temperature 1
//   q times    the last operation
#include <cmath>

#include "reference/exact/second_reference.h"

namespace touchstone::exact {
namespace {

// Whether every division gives (position + 1) / floor_scale without an error.
bool DividesExactly(double reached, double floor_scale) {
  return DivisionError(floor_scale) == 0.0 ||
         (reached <= 0x1p24 && std::fmod(reached, floor_scale) == 0.0);
}

// One column, a row a token.
Enclosure StepsPlusOne(const Integers& positions, double floor_scale) {
  Enclosure n = Exactly(Matrix::Zero(static_cast<int64_t>(positions.size()), 1));
  for (int64_t t = 0; t < n.rows(); ++t) {
    const double reached = static_cast<double>(positions[static_cast<size_t>(t)] + 1);
    const double quotient = reached / floor_scale;
    const double error = DividesExactly(reached, floor_scale) ? 0.0 : DivisionError(floor_scale);
    n.value(t, 0) = std::floor(quotient) + 1.0;
    n.lower(t, 0) = std::floor(quotient * (1.0 - error)) + 1.0;
    n.upper(t, 0) = std::floor(quotient * (1.0 + error)) + 1.0;
    if (n.upper(t, 0) > 0x1p24) {
      n.lower(t, 0) *= 1.0 - kUnit;
      n.upper(t, 0) *= 1.0 + kUnit;
    }
  }
  return n;
}

}  // namespace
}  // namespace touchstone::exact

// [doc: second reference]
TOUCHSTONE_ENCLOSE(temperature) {
  const Enclosure& q = in.real("q");
  const int64_t H = in.size('H');
  const auto scalar = [](double x) { return Exactly(Matrix::Constant(1, 1, x)); };
  const Enclosure n =
      StepsPlusOne(in.integer("positions"), static_cast<double>(in.constant("floor_scale")));
  Enclosure growth = n;
  growth.value = n.value.log();
  growth.lower = n.lower.log() * (1.0 - kFunctionError);  // n >= 1, so that no log is negative
  growth.upper = n.upper.log() * (1.0 + kFunctionError);
  growth = Multiply(growth, scalar(static_cast<double>(in.constant("attn_scale"))));
  Enclosure temperature = Add(growth, scalar(1.0));
  const Mask untouched = n.lower == 1.0 && n.upper == 1.0;
  temperature.lower = untouched.select(1.0, temperature.lower);
  temperature.upper = untouched.select(1.0, temperature.upper);

  const Enclosure of_head =
      Gather(temperature, q.rows(), 1, [H](int64_t row, int64_t) { return row / H; });
  out->reals["y"] = Multiply(q, of_head, LastOperation(in.storage));
}
// [doc: end second reference]

TOUCHSTONE_EVALUATE(temperature) {
  const FloatMatrix& q = in.real("q");
  const Integers& positions = in.integer("positions");
  const int64_t H = in.size('H');
  const float floor_scale = in.constant("floor_scale"), attn_scale = in.constant("attn_scale");
  const bool fused = profile.fused && profile.order != Order::kContract;
  FloatMatrix y(q.rows(), q.cols());
  for (int64_t row = 0; row < q.rows(); ++row) {
    const float reached = static_cast<float>(positions[static_cast<size_t>(row / H)] + 1);
    const float quotient = DividesExactly(reached, floor_scale)
                               ? reached / floor_scale
                               : profile.Divide(reached, floor_scale);
    const float steps = std::floor(quotient);
    const float logarithm = profile.Log(steps + 1.0f);
    const float growth = profile.Result(logarithm * attn_scale);
    const float temperature = fused ? std::fma(logarithm, attn_scale, 1.0f) : growth + 1.0f;
    for (int64_t d = 0; d < q.cols(); ++d) {
      y(row, d) = profile.Output(q(row, d) * temperature, in.output);
    }
  }
  out->reals["y"] = y;
}
