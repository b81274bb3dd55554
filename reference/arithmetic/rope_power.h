// theta^exponent, correctly rounded: the power that the RoPE table needs (rules N5, N12).
//
//   y = RN32(theta^exponent),  1 <= theta <= 2^40,  0 <= exponent < 1
//
// theta  binary32, the base of the rotation frequencies
// exponent  binary32, RN32(2 j / D)
//
// Evaluated as exp(exponent log theta) on pairs of binary64 with a relative error below 2^-90. The
// result is returned only where every real number within 2^-80 of that value rounds to the same
// binary32 number: a wrong bit is impossible. Elsewhere, and outside the ranges above, it throws
// ContractViolation. prove_functions runs the arguments of every table: none is refused.
// theta^exponent is never a midpoint of two binary32 numbers: it is irrational or theta = n^q 2^i,
// exponent = p/q, p < q, and n^p has an odd part shorter than the 24 bits of theta.
// The result lies between 1 and 2^40: no overflow, no subnormal.
//
// RopePower throws, and so is for the host; its parts are for both. Standard library only.
#pragma once

#include <cmath>

#include "reference/arithmetic/function_coefficients.h"
#include "reference/arithmetic/functions.h"
#include "reference/formats/require.h"

namespace touchstone {

namespace binary64_pair {

// The real number high + low, |low| <= u |high|, u = 2^-53.
struct Pair {
  double high;
  double low;
};

// a + b exactly, for |a| >= |b| or a = 0 (Dekker).
TOUCHSTONE_HOST_DEVICE inline Pair SumOrdered(double a, double b) {
  const double sum = a + b;
  return {sum, b - (sum - a)};
}

// a + b exactly (Knuth).
TOUCHSTONE_HOST_DEVICE inline Pair Sum(double a, double b) {
  const double sum = a + b;
  const double b_part = sum - a;
  return {sum, (a - (sum - b_part)) + (b - b_part)};
}

// Each of the next four has relative error below e = 2^-100 = 64 u^2. Add: 3.1 u^2; Multiply: 6 u^2
// (Joldes, Muller, Popescu, "Tight and rigorous error bounds for basic building blocks of
// double-word arithmetic", 2017). Divide: high is within u, the rest n - high d is exact, and low,
// below u |high|, is within u of rest / d: 1.1 u^2. Scale, a product with a pair whose low part is
// 0: as Multiply; exact for a power of two.
TOUCHSTONE_HOST_DEVICE inline Pair Add(Pair a, Pair b) {
  const Pair high = Sum(a.high, b.high);
  const Pair low = Sum(a.low, b.low);
  const Pair joined = SumOrdered(high.high, high.low + low.high);
  return SumOrdered(joined.high, joined.low + low.low);
}

TOUCHSTONE_HOST_DEVICE inline Pair Multiply(Pair a, Pair b) {
  const double high = a.high * b.high;
  const double rest = std::fma(a.high, b.high, -high);
  const double cross = std::fma(a.low, b.high, a.high * b.low);
  return SumOrdered(high, rest + cross);
}

TOUCHSTONE_HOST_DEVICE inline Pair Scale(double factor, Pair a) {
  return Multiply({factor, 0.0}, a);
}

TOUCHSTONE_HOST_DEVICE inline Pair Divide(double n, double d) {
  const double high = n / d;
  const double rest = std::fma(-high, d, n);
  return SumOrdered(high, rest / d);
}

inline constexpr Pair kLn2 = {binary64::kLn2First, binary64::kLn2Second};

// log(theta), theta = 2^k m, m in [sqrt(1/2), sqrt(2)), m - 1 and m + 1 exact:
//
//   log m = 2 s (1 + z/3 + z^2/5 + ... + z^24/49),  s = (m - 1)/(m + 1),  z = s^2 <= 0.02945
//
// Rest: z^25 < 2^-127 of log m. z is within 3 e. A Horner step has weight below 0.03 for what it is
// given, so p is within (2 e + 0.03 (3 e + e)) / 0.97 < 2.3 e, and log m = 2 s p within 4.3 e.
// k ln 2 is within 1.1 e. If k > 0 then k ln 2 + |log m| <= 3 (k ln 2 + log m); k < 0 cannot be,
// for theta >= 1. So the sum is within 3 * 4.3 e + e < 14 e.
TOUCHSTONE_HOST_DEVICE inline Pair LogOfBase(float theta) {
  const binary64::Split split = binary64::SplitAtSqrtHalf(static_cast<double>(theta));
  const Pair s = Divide(split.f, 2.0 + split.f);
  const Pair z = Multiply(s, s);
  Pair p = Divide(1.0, 49.0);
  for (int n = 47; n >= 1; n -= 2) p = Add(Divide(1.0, n), Multiply(z, p));
  return Add(Scale(split.k, kLn2), Scale(2.0, Multiply(s, p)));
}

struct Scaled {
  Pair significand;
  int binary_exponent;
};

// exp(y) = 2^k exp(r), r = y - k ln 2, 0 <= y < 27.8, k <= 41, |r| < 0.35:
//
//   exp(r) = 1 + r/1 (1 + r/2 (1 + ... (1 + r/26)))
//
// y comes within 15 e of itself: 417 e. k ln 2 adds 32 e and the difference e: r is within 450 e, a
// relative error of exp(r). Rest: 0.35^27/27! < 2^-133. A step rounds the sum, 1.42 e, and three
// times the product, at most 0.5/n: with the weights 0.35^n/n! of the steps below 5 e in all, over
// exp(r) > 0.7 8 e. Sum: 458 e < 2^9 e = 2^-91.
TOUCHSTONE_HOST_DEVICE inline Scaled ExpOfPair(Pair y) {
  const double shifted = std::fma(y.high, binary64::kLog2E, binary64::kRoundToInteger);
  const double k = shifted - binary64::kRoundToInteger;
  const Pair r = Add(y, Scale(-k, kLn2));
  Pair p = {1.0, 0.0};
  for (int n = 26; n >= 1; --n) p = Add({1.0, 0.0}, Multiply(Multiply(r, Divide(1.0, n)), p));
  return {p, static_cast<int>(k)};
}

// RN32 of every real number within 2^-80 of the pair, where they agree; refused where they do not.
// Rounded to odd first, so that the cast rounds the sum of the parts once.
inline float RoundIfDecided(Pair value) {
  const double width = 0x1p-80 * value.high;
  const float below = static_cast<float>(binary64::SumToOdd(value.high, value.low - width));
  const float above = static_cast<float>(binary64::SumToOdd(value.high, value.low + width));
  const bool is_decided = below == above;
  TOUCHSTONE_REQUIRE(is_decided);
  return above;
}

}  // namespace binary64_pair

// [doc: rope power]
inline float RopePower(float theta, float exponent) {
  TOUCHSTONE_REQUIRE(theta >= 1.0f && theta <= 0x1p+40f);
  TOUCHSTONE_REQUIRE(exponent >= 0.0f && exponent < 1.0f);
  using namespace binary64_pair;

  const Pair log_power = Scale(static_cast<double>(exponent), LogOfBase(theta));
  const Scaled power = ExpOfPair(log_power);
  return std::ldexp(RoundIfDecided(power.significand), power.binary_exponent);  // exact
}
// [doc: end rope power]

}  // namespace touchstone
