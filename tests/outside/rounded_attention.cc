#include "tests/outside/rounded_attention.h"

#include <algorithm>
#include <cmath>

namespace touchstone::outside {
namespace {

using exact::AtPlace;
using exact::Contract;
using exact::Enclosure;
using exact::kFunctionError;
using exact::kUnit;
using exact::Matrix;
using exact::Place;

Enclosure Rows(const Enclosure& x, int64_t first, int64_t count, int64_t step) {
  return exact::Gather(x, count, x.cols(),
                       [&](int64_t i, int64_t j) { return (first + i * step) * x.cols() + j; });
}

// exp(s_j - m) and its share of the sum over j, m the largest score as computed.
//
//   exponential  exp_error, and argument_error times |s_j - m|, of which the difference's own
//                rounding is u: rho_j relative
//   sum          n positive terms, n u; with the weighted mean of rho_j for what they carry
//   quotient     4u; or a reciprocal within 4u and a product, u
//
// A weight is largest where its own score is as large, and all others are as small, as they can be.
// 1 % covers the second order while n < 2^12.
struct Softmax {
  Enclosure exponentials, sum, weights;
};

Softmax SoftmaxOf(const Enclosure& s, const AttentionProfile& profile) {
  const int64_t n = s.cols();
  const double top = s.value.maxCoeff(), least = s.lower.minCoeff();
  const double highest = s.upper.maxCoeff(), lowest_top = s.lower.maxCoeff();
  TOUCHSTONE_REQUIRE(n < 4096 && highest - least < 80.0);

  const Matrix rho = 1.01 * (profile.argument_error * (highest - s.lower) + profile.exp_error);
  const Matrix value = (s.value - top).exp();
  const Matrix low = (s.lower - highest).exp() * (1.0 - rho);
  const Matrix high = (s.upper - lowest_top).exp() * (1.0 + rho);
  const auto never = exact::Mask::Constant(1, n, false);
  const double terms = 1.01 * static_cast<double>(n) * kUnit;

  Softmax y;
  y.exponentials = {value, low, high, never};
  y.sum = {Matrix::Constant(1, 1, value.sum()), Matrix::Constant(1, 1, low.sum() * (1.0 - terms)),
           Matrix::Constant(1, 1, high.sum() * (1.0 + terms)), exact::Mask::Constant(1, 1, false)};

  // Relative to one real m, which cancels: a shift of all scores by one amount changes no weight.
  const Matrix e_low = (s.lower - top).exp() * (1.0 - rho);
  const Matrix e_high = (s.upper - top).exp() * (1.0 + rho);
  const double all_low = e_low.sum(), all_high = e_high.sum();
  const double rest = terms + kFunctionError + 2.0 * kUnit;
  y.weights = {value / value.sum(), e_low / (e_low + (all_high - e_high)) * (1.0 - rest),
               e_high / (e_high + (all_low - e_low)) * (1.0 + rest), never};
  return y;
}

// One query head over the keys and values that it sees, (n, D).
Enclosure Head(const AttentionProfile& profile, Dtype storage, const Enclosure& q,
               const Enclosure& keys, const Enclosure& values) {
  const auto place = [](bool rounds) { return rounds ? Place::kOn : Place::kOff; };
  const double scale =
      static_cast<double>(static_cast<float>(1.0 / std::sqrt(static_cast<double>(q.cols()))));
  const Enclosure dot = AtPlace(Contract(q, keys), storage, place(profile.rounds_scores));
  // Scale and mask: two roundings at most, where the product is not fused with the addition of +0.
  const Enclosure scores =
      AtPlace(exact::Multiply(dot, exact::Exactly(Matrix::Constant(1, 1, scale))), storage,
              place(profile.rounds_scaled_scores));
  const Softmax softmax = SoftmaxOf(scores, profile);

  const Enclosure columns =
      exact::Gather(values, values.cols(), values.rows(),
                    [&values](int64_t d, int64_t j) { return j * values.cols() + d; });
  if (profile.probabilities == Probabilities::kUnnormalised) {
    const Enclosure rounded = AtPlace(softmax.exponentials, storage, Place::kOn);
    return exact::Divide(Contract(rounded, columns), softmax.sum, kFunctionError + 2.0 * kUnit);
  }
  const bool rounds = profile.probabilities == Probabilities::kNormalised;
  return Contract(AtPlace(softmax.weights, storage, place(rounds)), columns);
}

// torch's fast exponential: 2^f is the bit pattern of 1 + f - K(f), K a polynomial of degree 3
// (Malossi, Ineichen, Bekas and Curioni, "Fast exponential computation on SIMD architectures",
// 2015). With torch's coefficients the largest relative error is 1.0704e-4, at f = 0; the pattern
// is computed in binary32 near 127 * 2^23, where the spacing is 64, half of which is 2^-18 of the
// result.
constexpr double kFastExp = 1.0705e-4 + 0x1p-18;

}  // namespace

const AttentionProfile& EagerAttention() {
  static const AttentionProfile kProfile{
      .name = "eager attention",
      .reason =
          "transformers' eager_attention_forward is four operations on bf16 tensors: q.k, times "
          "1/sqrt(D), softmax (computed in binary32, stored in bf16), and the sum over values",
      .rounds_scores = true,
      .rounds_scaled_scores = true,
      .probabilities = Probabilities::kNormalised};
  return kProfile;
}

const AttentionProfile& FusedAttention() {
  static const AttentionProfile kProfile{
      .name = "fused attention",
      .reason =
          "torch's scaled_dot_product_attention on a processor keeps scores in binary32, stores "
          "exp(s - m) in bf16 for the sum over values, and divides at the end by the sum of the "
          "unrounded ones; its exponential is a fast one, meant for results stored in 16 bits",
      .probabilities = Probabilities::kUnnormalised,
      .exp_error = kFastExp,
      .argument_error = 4.0 * kUnit};  // the difference, times log2(e), minus K
  return kProfile;
}

Enclosure RoundedAttention(const AttentionProfile& profile, const exact::Operands<Enclosure>& in) {
  const Enclosure& q = in.real("q");
  const int64_t H = in.size('H'), G = in.size('G'), S = in.size('S');
  const int64_t chunk = static_cast<int64_t>(in.attribute("chunk"));
  Enclosure y = exact::Exactly(Matrix::Zero(q.rows(), q.cols()));
  for (int64_t i = 0; i < q.rows(); ++i) {
    const int64_t g = i % H / (H / G);
    const int64_t position = in.integer("positions").at(static_cast<size_t>(i / H));
    const int64_t first = chunk > 0 ? position / chunk * chunk : 0;
    const int64_t count = std::min(position + 1, S) - first;
    TOUCHSTONE_REQUIRE(count > 0);
    const Enclosure head =
        Head(profile, in.storage, Rows(q, i, 1, 1), Rows(in.real("keys"), first * G + g, count, G),
             Rows(in.real("values"), first * G + g, count, G));
    y.value.row(i) = head.value;
    y.lower.row(i) = head.lower;
    y.upper.row(i) = head.upper;
    y.undecidable.row(i) = head.undecidable;
  }
  return y;
}

}  // namespace touchstone::outside
