// SwiGLU: y = RN(RN(silu(g)) up), silu(g) = g / (1 + exp(-g)).
//
// Relative errors of silu, with s = 1 / (1 + exp(g)) the part of exp(-g) in 1 + exp(-g):
//
//   exp(-g)      4u, of which the sum sees 4u s
//   1 + exp(-g)  u
//   quotient     4u; or a reciprocal within 4u and a product, u
//
//   rho = 1.01 (4 s + 6) u          1 % covers the second order
//
// Absolute ones: 2^-150 where the result is subnormal, |g| 2^-150 where the reciprocal is. Where
// exp(-g) may exceed the largest binary32 number the sum may be infinite and silu -0, although its
// real value, near -2^-121, is a normal number.
#include <algorithm>
#include <cmath>

#include "reference/exact/second_reference.h"

namespace touchstone::exact {
namespace {

// silu falls to its one minimum, kTurn + 1, at kTurn, the root of g (1 - 1 / (1 + exp(-g))) = -1.
constexpr double kTurn = -1.2784645427610738;

double Silu(double g) { return g / (1.0 + std::exp(-g)); }

Enclosure Silu(const Enclosure& g) {
  Enclosure y = g;
  for (int64_t i = 0; i < g.value.size(); ++i) {
    const double low = g.lower.data()[i], high = g.upper.data()[i];
    y.value.data()[i] = Silu(g.value.data()[i]);
    if (!std::isfinite(low) || !std::isfinite(high)) {
      y.undecidable.data()[i] |= std::isfinite(g.value.data()[i]);
      continue;
    }
    double least = std::min(Silu(low), Silu(high));
    double largest = std::max(Silu(low), Silu(high));
    if (low < kTurn && kTurn < high) least = kTurn + 1.0;
    const double rho = 1.01 * (4.0 / (1.0 + std::exp(low)) + 6.0) * kUnit;  // s falls with g
    const double tiny = Underflow() * (1.0 + std::max(std::fabs(low), std::fabs(high)));
    least -= rho * std::fabs(least) + tiny;
    largest += rho * std::fabs(largest) + tiny;
    if (std::exp(-low) > 0x1p128 * (1.0 - 0x1p-20)) largest = std::max(largest, 0.0);
    y.lower.data()[i] = least;
    // Stored as infinity where it may be: times up = 0 that is a NaN.
    y.upper.data()[i] = std::isinf(RoundReal(largest, Dtype::kF32)) ? INFINITY : largest;
  }
  Settle(&y);
  return y;
}

}  // namespace
}  // namespace touchstone::exact

// [doc: second reference]
TOUCHSTONE_ENCLOSE(swiglu) {
  const Enclosure silu = AtPlace(Silu(in.real("gate")), in.storage, in.place(RoundingPlace::kSilu));
  out->reals["y"] = Multiply(silu, in.real("up"), LastOperation(in.storage));
}
// [doc: end second reference]

TOUCHSTONE_EVALUATE(swiglu) {
  const FloatMatrix& gate = in.real("gate");
  const FloatMatrix& up = in.real("up");
  FloatMatrix y(gate.rows(), gate.cols());
  for (int64_t i = 0; i < y.size(); ++i) {
    const float g = gate.data()[i];
    const float quotient = profile.Divide(g, 1.0f + profile.Exp(-g));
    const float silu = profile.At(RoundingPlace::kSilu, quotient, in.storage);
    y.data()[i] = profile.Output(silu * up.data()[i], in.output);
  }
  out->reals["y"] = y;
}
