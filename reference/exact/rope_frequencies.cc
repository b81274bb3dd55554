// RoPE frequencies: f = theta^(-2j/D), then Llama 3's scaling.
//
//   e = 2j/D         4u relative, none where D is a power of two, as published ones are
//   theta^e          e log(theta) times the error of e; the power within 2 ulp, 4u
//   1 / theta^e      4u                 together rho, 0.1 % more covers the second order
//
// The power is a function within 2 ulp like the others. One made in binary32 as exp(e log(theta))
// is not: an error of u in the logarithm is one of 13u in a power of 500000.
//
// The scaling is steps of 4u (quotients; none by a power of two; 2 pi is within u of itself) and u.
// Its case is a choice by margin: every case that the wavelength's interval reaches is accepted,
// and the interval is the hull of their results.
#include <algorithm>
#include <cmath>

#include "reference/exact/second_reference.h"

namespace touchstone::exact {
namespace {

constexpr double kTwoPi = 6.283185307179586;

// a / b of numbers that are known.
Enclosure QuotientOf(double a, double b) {
  const Matrix quotient = Matrix::Constant(1, 1, a / b);
  return Within(quotient, DivisionError(b) * quotient);
}

Enclosure Plain(double theta, int64_t J) {
  Matrix f(1, J), rho(1, J);
  for (int64_t j = 0; j < J; ++j) {
    const Enclosure e = QuotientOf(static_cast<double>(2 * j), static_cast<double>(2 * J));
    const double growth = std::log(theta);
    f(0, j) = std::exp(-e.value(0, 0) * growth);
    rho(0, j) = 1.001 * ((e.upper(0, 0) - e.value(0, 0)) * growth + 2.0 * kFunctionError);
  }
  return Within(f, rho * f);
}

// The three cases of the scaling for every frequency, and how the wavelength decides.
struct Scaling {
  Enclosure wavelength, longest, shortest;  // between the last two lies the band
  Enclosure low, middle, high;              // results
};

Scaling Scaled(const Operands<Enclosure>& in, const Enclosure& f) {
  const auto all = [&f](double x) { return Exactly(Matrix::Constant(1, f.cols(), x)); };
  const auto number = [&in](const char* name) { return static_cast<double>(in.constant(name)); };
  const double factor = number("factor"), original = number("original_max_position_embeddings");
  const double low = number("low_freq_factor"), high = number("high_freq_factor");

  Scaling s;
  s.wavelength = Divide(Rounded(all(kTwoPi)), f);
  s.longest = QuotientOf(original, low);
  s.shortest = QuotientOf(original, high);
  s.low = Divide(f, all(factor), DivisionError(factor));
  s.middle = f;
  s.high = f;
  if (RoundReal(high - low, Dtype::kF32) == 0.0) return s;
  const Enclosure band = Rounded(all(high - low));
  const Enclosure smooth = Divide(Subtract(Divide(all(original), s.wavelength), all(low)), band);
  const Enclosure slow =
      Divide(Multiply(Subtract(all(1.0), smooth), f), all(factor), DivisionError(factor));
  s.middle = Add(slow, Multiply(smooth, f), LastOperation(Dtype::kF32));
  return s;
}

}  // namespace
}  // namespace touchstone::exact

// [doc: second reference]
TOUCHSTONE_ENCLOSE(rope_frequencies) {
  Enclosure f = Plain(static_cast<double>(in.constant("rope_theta")), in.size('J'));
  if (in.attribute("llama3") != 0.0) {
    const Scaling s = Scaled(in, f);
    const double longest = s.longest.value(0, 0), shortest = s.shortest.value(0, 0);
    for (int64_t j = 0; j < f.cols(); ++j) {
      const double wavelength = s.wavelength.value(0, j);
      f.value(0, j) = wavelength > longest     ? s.low.value(0, j)
                      : wavelength >= shortest ? s.middle.value(0, j)
                                               : s.high.value(0, j);
      const double least = s.wavelength.lower(0, j), most = s.wavelength.upper(0, j);
      double lower = INFINITY, upper = -INFINITY;
      const auto accept = [&](const Enclosure& result) {
        lower = std::min(lower, result.lower(0, j));
        upper = std::max(upper, result.upper(0, j));
      };
      if (most > s.longest.lower(0, 0)) accept(s.low);
      if (least <= s.longest.upper(0, 0) && most >= s.shortest.lower(0, 0)) accept(s.middle);
      if (least < s.shortest.upper(0, 0)) accept(s.high);
      f.lower(0, j) = lower;
      f.upper(0, j) = upper;
    }
  }
  out->reals["f"] = f;
}
// [doc: end second reference]

TOUCHSTONE_EVALUATE(rope_frequencies) {
  const int64_t J = in.size('J');
  const float factor = in.constant("factor");
  const float original = in.constant("original_max_position_embeddings");
  const float low = in.constant("low_freq_factor"), high = in.constant("high_freq_factor");
  const bool fused = profile.fused && profile.order != Order::kContract;
  const auto quotient = [&profile](float a, float b) {
    return DivisionError(static_cast<double>(b)) == 0.0 ? a / b : profile.Divide(a, b);
  };
  const auto scaled = [&](float f) {
    const float wavelength = profile.Divide(static_cast<float>(kTwoPi), f);
    if (wavelength > quotient(original, low)) return quotient(f, factor);
    if (wavelength < quotient(original, high) || high - low == 0.0f) return f;
    const float smooth = profile.Divide(profile.Divide(original, wavelength) - low, high - low);
    const float slow = quotient(profile.Result((1.0f - smooth) * f), factor);
    const float fast = profile.Result(smooth * f);
    return fused ? std::fma(smooth, f, slow) : slow + fast;
  };
  FloatMatrix f(1, J);
  for (int64_t j = 0; j < J; ++j) {
    const float e = quotient(static_cast<float>(2 * j), static_cast<float>(2 * J));
    const float plain = profile.Divide(1.0f, profile.Power(in.constant("rope_theta"), e));
    f(0, j) = in.attribute("llama3") != 0.0 ? scaled(plain) : plain;
  }
  out->reals["f"] = f;
}
