// The elementary functions (rule N5): exp, log, log1p, sin, cos, erf, correctly rounded.
//
//   y = RN32(f(x)), x and y binary32, nearest even, subnormals kept, for every x of 2^32
//
// | function | special values                                                                |
// |----------|-------------------------------------------------------------------------------|
// | Exp      | -inf: +0; +inf: +inf; overflow: +inf; below 2^-150: +0; +-0: 1                 |
// | Log      | +-0: -inf; x < 0: NaN; +inf: +inf; 1: +0                                       |
// | Log1p    | -1: -inf; x < -1: NaN; +inf: +inf; +-0: +-0                                    |
// | Sin, Cos | defined for |x| < 2^24; any other x, infinities included: NaN; Sin(+-0) = +-0  |
// | Erf      | +-inf: +-1; +-0: +-0                                                           |
//
// NaN gives NaN, and every NaN out is the canonical 0x7fc00000 (rule N8). No flag, errno or trap.
//
// Each function is evaluated in binary64 (namespace binary64) and rounded to binary32 once, by a
// cast. binary64 functions use +, -, *, /, fma and integer operations alone, so that every IEEE-754
// machine computes the same bits. Each states a bound on its relative error, derived beside it:
//
//   |binary64::F(x) - f(x)| <= kErrorBound * |f(x)|,  kErrorBound = 2^-51
//
// except where x is clamped and the result is right for a reason that is given there. The bound
// alone does not make the cast right; the program prove_functions does: it compares all inputs
// whose result lies within 2^-40 of a rounding boundary with MPFR (docs: elementary functions).
//
// Notation of the derivations: u = 2^-53, half the spacing of binary64 at 1. One operation has
// relative error u, or absolute error at most half the spacing at its result. An error in "u of
// the result" is relative to f(x). Products of errors (u^2 and smaller) are covered by the slack
// between each sum and 4 u = 2^-51. No intermediate that matters falls below 2^-1022: |x| is 0 or
// at least 2^-149, and the smallest product formed is about x^4 >= 2^-596.
#pragma once

#include <cstdint>
#include <cstring>

#include "reference/arithmetic/function_coefficients.h"
#include "reference/formats/host_device.h"

namespace touchstone {

namespace binary64 {

inline constexpr double kErrorBound = 0x1p-51;

TOUCHSTONE_HOST_DEVICE inline uint64_t Bits(double value) {
  uint64_t bits;
  std::memcpy(&bits, &value, sizeof bits);
  return bits;
}

TOUCHSTONE_HOST_DEVICE inline double FromBits(uint64_t bits) {
  double value;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}

TOUCHSTONE_HOST_DEVICE inline double Fma(double a, double b, double c) {
  return __builtin_fma(a, b, c);
}

inline constexpr double kInfinity = __builtin_huge_val();
inline constexpr double kNan = __builtin_nan("");

// chosen ? yes : no, without a branch, so that a loop over a function can be vectorised.
TOUCHSTONE_HOST_DEVICE inline double Select(bool chosen, double yes, double no) {
  const uint64_t mask = uint64_t{0} - static_cast<uint64_t>(chosen);
  return FromBits((Bits(yes) & mask) | (Bits(no) & ~mask));
}

// v + kRoundToInteger, for |v| < 2^51, is v rounded to an integer n, in the low bits of the sum.
inline constexpr double kRoundToInteger = 0x1.8p+52;

// [doc: sum to odd]
// high + low, |high| >= |low| or high = 0, rounded to odd: an exact sum stays; any other becomes
// the one of its two neighbours whose last bit is 1. A later rounding to 24 bits then rounds the
// real number high + low, once: an odd binary64 number is neither a binary32 number nor a midpoint
// of two. Error below one spacing, 2 u of the result.
TOUCHSTONE_HOST_DEVICE inline double SumToOdd(double high, double low) {
  const double sum = high + low;
  const double rest = low - (sum - high);  // exact (Dekker)
  const uint64_t bits = Bits(sum);
  // The real sum is sum + rest: one step away from zero if the signs agree, else one towards it.
  const uint64_t step = uint64_t{1} - 2 * ((Bits(rest) ^ bits) >> 63);
  const uint64_t moves = static_cast<uint64_t>(rest != 0.0) & ~bits;  // 1 if inexact and even
  return FromBits(bits + step * (moves & 1));
}
// [doc: end sum to odd]

// [doc: exp]
// exp. x = k ln 2 + r, exp(x) = 2^k exp(r).
//
// Clamp. exp(100) > 2^128, so x >= 100 overflows in the cast, rightly; exp(-120) < 2^-150, half the
// smallest subnormal, so x <= -120 becomes +0, rightly.
//
// Reduction. k = RN(x kLog2E), |x| <= 120, |k| <= 174. kLog2E is within u of 1 / ln 2, so |r| =
// |x - k ln 2| <= (1/2 + 2^-45) ln 2 < 0.3466. k kLn2High is exact (43 + 8 bits), a multiple of
// 2^-43; if k != 0, x is a multiple of 2^-25, so the first difference, a multiple of 2^-43 below 1,
// is exact. The second rounds by 2^-55, |r| being below 1/2; kLn2Low adds 174 * 2^-98. An error of
// r is a relative error of exp(r).
//
// Series: sum of r^n/n!, n <= 13. Rest: 0.3466^14/14! exp(0.3466) = 5.9e-18. Horner: let P_i be the
// sum of 0.3466^(j-i)/j! over j >= i. The rounding of step i adds u P_i 0.3466^i: u (1.415 + 0.416
// + 0.069 + 0.009) = 1.91 u. The coefficients from 1/3! on add 0.01 u. Scaling by 2^k, -174 <= k <=
// 145, is exact: an addition to the exponent field.
//
// Error in u of the result, exp(r) being at least 0.7071:
//   reduction                   0.26
//   rest of the series          0.08
//   Horner, 1.92 over 0.7071    2.72
//   sum                         3.06, below 4
TOUCHSTONE_HOST_DEVICE inline double Exp(double x) {
  x = Select(x < -120.0, -120.0, x);
  x = Select(x > 100.0, 100.0, x);

  const double shifted = Fma(x, kLog2E, kRoundToInteger);
  const double k = shifted - kRoundToInteger;
  double r = Fma(-k, kLn2High, x);
  r = Fma(-k, kLn2Low, r);

  double p = 1.0 / 6227020800.0;     // 1/13!
  p = Fma(p, r, 1.0 / 479001600.0);  // 1/12!
  p = Fma(p, r, 1.0 / 39916800.0);   // 1/11!
  p = Fma(p, r, 1.0 / 3628800.0);    // 1/10!
  p = Fma(p, r, 1.0 / 362880.0);     // 1/9!
  p = Fma(p, r, 1.0 / 40320.0);      // 1/8!
  p = Fma(p, r, 1.0 / 5040.0);       // 1/7!
  p = Fma(p, r, 1.0 / 720.0);        // 1/6!
  p = Fma(p, r, 1.0 / 120.0);        // 1/5!
  p = Fma(p, r, 1.0 / 24.0);         // 1/4!
  p = Fma(p, r, 1.0 / 6.0);          // 1/3!
  p = Fma(p, r, 0.5);                // 1/2!
  p = Fma(p, r, 1.0);
  p = Fma(p, r, 1.0);
  const double y = FromBits(Bits(p) + (Bits(shifted) << 52));
  return Select(x != x, x, y);  // the payload of a NaN must not reach the exponent
}
// [doc: end exp]

// [doc: log]
// v = 2^k (1 + f), 1 + f in [sqrt(1/2), sqrt(2)), for a positive normal v. f is exact: 1 + f and 1
// are within a factor 2. Any other v gives some k and f, without meaning.
struct Split {
  double k;
  double f;
};

TOUCHSTONE_HOST_DEVICE inline Split SplitAtSqrtHalf(double v) {
  constexpr uint64_t kSqrtHalf = 0x3fe6a09e667f3bcd;
  constexpr uint64_t kBias = 1024;
  constexpr uint64_t kTwoTo52 = 0x4330000000000000;
  const uint64_t bits = Bits(v);
  const uint64_t biased = (bits - kSqrtHalf + (kBias << 52)) >> 52;  // k + 1024
  Split split;
  // An integer below 2^52, placed in the significand of 2^52, is that number more.
  split.k = FromBits(kTwoTo52 | biased) - (0x1p+52 + 1024.0);
  split.f = FromBits(bits - (biased << 52) + (kBias << 52)) - 1.0;
  return split;
}

// log(2^k (1 + f)) = k ln 2 + log(1 + f), by s = f/(2 + f), log(1 + f) = 2 atanh(s):
//
//   log(1 + f) = f - h + s (h + R),  h = f^2/2,  R = sum over j >= 1 of 2/(2j+1) s^(2j)
//
// since f - h + s h = 2 s. |s| <= 0.1716, s^2 <= 0.02945. f - h is kept in two parts.
//
// k = 0: f has at most 24 bits, so that h is exact. |log(1 + f)| >= 2|s|.
// Series: R to s^24. Rest: s 2/27 s^26/(1 - s^2) < 1e-21 |s|, below 2^-70 of the result.
// Small part: low = s (h + R). 2 + f rounds in Log1p, and so does the division: s is within 2 u and
// z = s^2 within 5 u. Horner gives q within 2.3 u (last coefficient u, last fma u, the rest times
// z), R = q z within 8.3 u. R <= 0.47 h, so h + R is within u + 8.3 u * 0.47/1.47 = 3.7 u, and low
// within (2 + 3.7 + 1) u. low is (h + R)/(2 + R) < 0.053 of the result.
// Large part: a + a_rest = f - h exactly (Dekker: |f| >= h). b = 0, c = a, c_rest = 0.
//
// Error in u of the result:
//   low, 6.7 times 0.053        0.36
//   rounding of a_rest + low    0.06
//   SumToOdd                    2
//   sum                         2.42, below 4
//
// k != 0: |result| >= ln(2)/2 = 0.3466, |low| < 0.0186, |a| < 0.337, |k| <= 150. b = k kLn2High is
// exact (43 + 8 bits), |b| >= 0.69 > |a|, so b + a = c + c_rest exactly; k kLn2Low is within 2^-89.
// 1 + x of Log1p is exact below 2^53. Above, it rounds within relative u, an absolute error u of
// the logarithm, which exceeds 36; there f has 53 bits, h rounds (0.086 u), low is within 7.7 u.
//
// Error in u of the result:
//   low, 7.7 times 0.0186, over 0.3466           0.42
//   h, over 0.3466                               0.25
//   two sums of small parts, 0.04 over 0.3466    0.12
//   1 + x, over 36                               0.03
//   SumToOdd                                     2
//   sum                                          2.82, below 4
TOUCHSTONE_HOST_DEVICE inline double LogOfSplit(double k, double f) {
  const double s = f / (2.0 + f);
  const double z = s * s;
  const double h = 0.5 * f * f;

  double q = 2.0 / 25.0;
  q = Fma(q, z, 2.0 / 23.0);
  q = Fma(q, z, 2.0 / 21.0);
  q = Fma(q, z, 2.0 / 19.0);
  q = Fma(q, z, 2.0 / 17.0);
  q = Fma(q, z, 2.0 / 15.0);
  q = Fma(q, z, 2.0 / 13.0);
  q = Fma(q, z, 2.0 / 11.0);
  q = Fma(q, z, 2.0 / 9.0);
  q = Fma(q, z, 2.0 / 7.0);
  q = Fma(q, z, 2.0 / 5.0);
  q = Fma(q, z, 2.0 / 3.0);
  const double low = Fma(s, h + q * z, k * kLn2Low);

  const double a = f - h;
  const double a_rest = (f - a) - h;
  const double b = k * kLn2High;
  const double c = b + a;
  const double c_rest = Select(k == 0.0, 0.0, (b - c) + a);
  return SumToOdd(c, c_rest + (a_rest + low));
}

TOUCHSTONE_HOST_DEVICE inline double Log(double x) {
  const Split split = SplitAtSqrtHalf(x);
  double y = LogOfSplit(split.k, split.f);
  y = Select(x == 0.0, -kInfinity, y);
  y = Select(x < 0.0, kNan, y);
  y = Select(x == kInfinity, kInfinity, y);
  return Select(x != x, x, y);
}

// Where 1 + x lies in [sqrt(1/2), sqrt(2)), k = 0 and f is x itself, however small.
TOUCHSTONE_HOST_DEVICE inline double Log1p(double x) {
  const Split split = SplitAtSqrtHalf(1.0 + x);
  double y = LogOfSplit(split.k, Select(split.k == 0.0, x, split.f));
  y = Select(x == 0.0, x, y);  // keeps -0
  y = Select(x == -1.0, -kInfinity, y);
  y = Select(x < -1.0, kNan, y);
  y = Select(x == kInfinity, kInfinity, y);
  return Select(x != x, x, y);
}
// [doc: end log]

// [doc: sin]
// sin and cos. x = k pi/2 + r, |x| < 2^24. By k + shift modulo 4 (shift 0 for sin, 1 for cos):
// sin r, cos r, -sin r, -cos r.
//
// Reduction. k = RN(x kTwoOverPi), |k| < 2^23.4, |r| <= (1/2 + 2^-29) pi/2 < 0.7854. If k != 0, x
// is a multiple of 2^-24 and k kHalfPi1 of 2^-52, so their difference r1, below 1, is exact:
// r = r1 - k kHalfPi2 - k kHalfPi3 within |k| 2^-163 < 2^-139.
// With k != 0, |r| >= kSmallestReduced: prove_functions reduces every x (the smallest is 2^-27.83,
// at x = 0x1.f9cbe2p+7, near 161 pi/2). |k kHalfPi2| < 2^-30, so r1 and high = RN(r1 - k kHalfPi2)
// are within a factor 2 and r1 - high is exact (Sterbenz). Hence low is high's own rounding error,
// within u of itself, less k kHalfPi3, which is below 2^-85: high + low is within 2^-105 |r| of r,
// and |low| <= u |high| + 2^-85. (The 2^-85 costs nothing below: it comes times r.) With k = 0,
// high = x and low = 0.
//
// sin(high + low) = high + high z S(z) + low, z = high^2, S = -1/3! + z/5! - ..., to r^17. Left out
// is low (1 - cos r). high z S is below r^2/6 over sin(r)/r >= 0.9, 0.115 of the result; z is
// within u, its product u more, S 2.2 u (1/3! u, last fma u, the rest times z/20), the fma u.
//
// Error of sin in u of the result:
//   rest of the series, r^18/19! over 0.9       0.01
//   low (1 - cos r), r * 0.293 over 0.9 r       0.33
//   high z S, 5.2 times 0.115                   0.60
//   SumToOdd                                    2
//   sum                                         2.94, below 4
//
// cos(high + low) = w + w_rest + z^2 C(z) - high low, w + w_rest = 1 - z/2 exactly (Dekker),
// C = 1/4! - z/6! + ..., to r^18; the result is at least 0.7071. z rounds by 2^-54 (z < 1). z^2 C,
// at most 0.0159, has z 2 u, square u, C 2.2 u, fma u. high low stands for low sin r.
//
// Error of cos in u of the result, each over 0.7071:
//   rest of the series, r^20/20!                0.01
//   z/2, 0.25                                   0.36
//   z^2 C, 6.2 times 0.0159                     0.14
//   high low, (0.7854 - 0.7071) / 2             0.06
//   rounding of the sum of small parts, 0.016   0.03
//   SumToOdd                                    2
//   sum                                         2.60, below 4
inline constexpr double kSmallestReduced = 0x1p-28;

struct Reduced {
  double high;
  double low;
  uint64_t quadrant;  // k modulo 2^51; only the low two bits are meant
};

TOUCHSTONE_HOST_DEVICE inline Reduced ReduceByHalfPi(double x) {
  const double shifted = Fma(x, kTwoOverPi, kRoundToInteger);
  const double k = shifted - kRoundToInteger;
  const double r1 = Fma(-k, kHalfPi1, x);
  Reduced r;
  r.high = Fma(-k, kHalfPi2, r1);
  r.low = Fma(-k, kHalfPi2, r1 - r.high);
  r.low = Fma(-k, kHalfPi3, r.low);
  r.quadrant = Bits(shifted);
  return r;
}

TOUCHSTONE_HOST_DEVICE inline double SinOfReduced(double high, double low) {
  const double z = high * high;
  double s = 1.0 / 355687428096000.0;     // 1/17!
  s = Fma(s, z, -1.0 / 1307674368000.0);  // 1/15!
  s = Fma(s, z, 1.0 / 6227020800.0);      // 1/13!
  s = Fma(s, z, -1.0 / 39916800.0);       // 1/11!
  s = Fma(s, z, 1.0 / 362880.0);          // 1/9!
  s = Fma(s, z, -1.0 / 5040.0);           // 1/7!
  s = Fma(s, z, 1.0 / 120.0);             // 1/5!
  s = Fma(s, z, -1.0 / 6.0);              // 1/3!
  return SumToOdd(high, Fma(high * z, s, low));
}

TOUCHSTONE_HOST_DEVICE inline double CosOfReduced(double high, double low) {
  const double z = high * high;
  double c = -1.0 / 6402373705728000.0;   // 1/18!
  c = Fma(c, z, 1.0 / 20922789888000.0);  // 1/16!
  c = Fma(c, z, -1.0 / 87178291200.0);    // 1/14!
  c = Fma(c, z, 1.0 / 479001600.0);       // 1/12!
  c = Fma(c, z, -1.0 / 3628800.0);        // 1/10!
  c = Fma(c, z, 1.0 / 40320.0);           // 1/8!
  c = Fma(c, z, -1.0 / 720.0);            // 1/6!
  c = Fma(c, z, 1.0 / 24.0);              // 1/4!
  const double half_z = 0.5 * z;
  const double w = 1.0 - half_z;
  const double w_rest = (1.0 - w) - half_z;
  return SumToOdd(w, w_rest + Fma(z * z, c, -high * low));
}

TOUCHSTONE_HOST_DEVICE inline double SinInQuadrant(double x, uint64_t shift) {
  const Reduced r = ReduceByHalfPi(x);
  const uint64_t quadrant = r.quadrant + shift;
  const double sine = SinOfReduced(r.high, r.low);
  const double cosine = CosOfReduced(r.high, r.low);
  const double y = Select((quadrant & 1) != 0, cosine, sine);
  const double turned = FromBits(Bits(y) ^ ((quadrant & 2) << 62));  // -y in the last two
  return Select((x > -0x1p+24) & (x < 0x1p+24), turned, kNan);
}

TOUCHSTONE_HOST_DEVICE inline double Sin(double x) {
  const double y = SinInQuadrant(x, 0);
  return Select(x == 0.0, x, y);  // keeps -0
}

TOUCHSTONE_HOST_DEVICE inline double Cos(double x) { return SinInQuadrant(x, 1); }
// [doc: end sin]

// [doc: erf]
// erf, odd; a = |x|.
//
// Clamp. 1 - erf(4) = 1.6e-8 < 2^-25, so a >= 4 becomes 1 in the cast, rightly.
//
// a < 1/4: x (E0 + z Q(z)), z = x^2 (exact, 48 bits), the Maclaurin series to x^19. The result is
// at least 0.979 E0 x. Rest: z^10/(10! 21), below 2^-65. x z Q is below z/3 over 0.979, 0.0213 of
// the result; two products and Q, 2.2 u.
//
// Error in u of the result:
//   E0 rounded, 1 over 0.979    1.03
//   x z Q, 4.2 times 0.0213     0.09
//   last fma                    1
//   sum                         2.12, below 4
//
// a >= 1/4: Taylor series of degree 10 at the nearest node i/16. t = a - i/16 is exact (a multiple
// of 2^-26), |t| <= 1/32. The result is at least erf(1/4) = 0.2763. Rest: |erf^(11)| = 2/sqrt(pi)
// |H_10(x)| exp(-x^2) <= 1.1284 * 1.0865 * 2^5 sqrt(10!) < 74,800 (Cramer's bound of the Hermite
// polynomials), times (1/32)^11/11!: 5.2e-20, below 2^-62 of the result. t (c1 + ...) is below
// 1.06/32 = 0.034, 0.123 of the result, and within 3.2 u of itself. c0 is at most 1.123 of the
// result.
//
// Error in u of the result:
//   c0 rounded                  1.13
//   t (c1 + ...), 3.2 * 0.123   0.40
//   last fma                    1
//   sum                         2.53, below 4
TOUCHSTONE_HOST_DEVICE inline double Erf(double x) {
  double a = Select(x < 0.0, -x, x);
  a = Select(a < 4.0, a, 4.0);  // a NaN too: the row is then a valid one

  const double z = x * x;
  double q = kErfMaclaurin9;
  q = Fma(q, z, kErfMaclaurin8);
  q = Fma(q, z, kErfMaclaurin7);
  q = Fma(q, z, kErfMaclaurin6);
  q = Fma(q, z, kErfMaclaurin5);
  q = Fma(q, z, kErfMaclaurin4);
  q = Fma(q, z, kErfMaclaurin3);
  q = Fma(q, z, kErfMaclaurin2);
  q = Fma(q, z, kErfMaclaurin1);
  const double near_zero = Fma(x, kErfMaclaurin0, x * z * q);

  const double shifted = Fma(a, 16.0, kRoundToInteger);
  const double t = a - (shifted - kRoundToInteger) * 0.0625;
  const uint64_t node = Bits(shifted) & 127;
  double p = ErfTaylor(node, 10);
  p = Fma(p, t, ErfTaylor(node, 9));
  p = Fma(p, t, ErfTaylor(node, 8));
  p = Fma(p, t, ErfTaylor(node, 7));
  p = Fma(p, t, ErfTaylor(node, 6));
  p = Fma(p, t, ErfTaylor(node, 5));
  p = Fma(p, t, ErfTaylor(node, 4));
  p = Fma(p, t, ErfTaylor(node, 3));
  p = Fma(p, t, ErfTaylor(node, 2));
  p = Fma(p, t, ErfTaylor(node, 1));
  p = Fma(p, t, ErfTaylor(node, 0));
  const double away = Select(x < 0.0, -p, p);

  double y = Select(a < 0.25, near_zero, away);
  y = Select(x == 0.0, x, y);  // keeps -0
  return Select(x != x, x, y);
}
// [doc: end erf]

}  // namespace binary64

// [doc: rounding]
// The one rounding. A NaN becomes the canonical one.
TOUCHSTONE_HOST_DEVICE inline float RoundOnce(double value) {
  const float rounded = static_cast<float>(value);
  uint32_t bits;
  std::memcpy(&bits, &rounded, sizeof bits);
  const uint32_t nan_mask = uint32_t{0} - static_cast<uint32_t>(value != value);
  bits = (bits & ~nan_mask) | (uint32_t{0x7fc00000} & nan_mask);
  float result;
  std::memcpy(&result, &bits, sizeof result);
  return result;
}

TOUCHSTONE_HOST_DEVICE inline float Exp(float x) { return RoundOnce(binary64::Exp(x)); }
TOUCHSTONE_HOST_DEVICE inline float Log(float x) { return RoundOnce(binary64::Log(x)); }
TOUCHSTONE_HOST_DEVICE inline float Log1p(float x) { return RoundOnce(binary64::Log1p(x)); }
TOUCHSTONE_HOST_DEVICE inline float Sin(float x) { return RoundOnce(binary64::Sin(x)); }
TOUCHSTONE_HOST_DEVICE inline float Cos(float x) { return RoundOnce(binary64::Cos(x)); }
TOUCHSTONE_HOST_DEVICE inline float Erf(float x) { return RoundOnce(binary64::Erf(x)); }
// [doc: end rounding]

}  // namespace touchstone
