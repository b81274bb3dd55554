// RoPE: y = RN(x cos + partner (-sin or sin)), partner the pair's other element. Two products, each
// rounded or kept exact by an fma, and one sum, the last operation:
//
//   |computed - real| before it <= u (|x cos| + |partner sin|) + 2^-149
//
// Rounded and exact products of one computation lie in the same interval. A product beyond 2^127
// may be an infinity in one computation and meet its negative: undecidable.
#include <cmath>

#include "reference/exact/second_reference.h"

namespace touchstone::exact {
namespace {

// The largest magnitude of every element, 0 where it is an infinity or NaN: those of inputs are the
// same in every computation.
Matrix FiniteSize(const Enclosure& x) {
  return x.lower.abs().max(x.upper.abs()).unaryExpr([](double v) {
    return std::isfinite(v) ? v : 0.0;
  });
}

}  // namespace
}  // namespace touchstone::exact

// [doc: second reference]
TOUCHSTONE_ENCLOSE(rope) {
  const Enclosure& x = in.real("x");          // (T H, D)
  const Enclosure& table = in.real("table");  // (T J, 2)
  const int64_t rows = x.rows(), H = in.size('H'), D = x.cols();
  const auto cosine_of = [&](int64_t row, int64_t d) { return (row / H * D + d) / 2 * 2; };
  const auto sine_of = [&](int64_t row, int64_t d) { return cosine_of(row, d) + 1; };
  const auto partner_of = [&](int64_t row, int64_t d) { return row * D + (d ^ 1); };
  Matrix sign(1, D);  // of the sine: negative for the first of a pair
  for (int64_t d = 0; d < D; ++d) sign(0, d) = d % 2 == 0 ? -1.0 : 1.0;

  const Enclosure sine = Multiply(Gather(table, rows, D, sine_of), Exactly(sign), 0.0);
  const Enclosure along = Multiply(x, Gather(table, rows, D, cosine_of));
  const Enclosure across = Multiply(Gather(x, rows, D, partner_of), sine);
  Enclosure y = Add(along, across, LastOperation(in.storage));
  y.undecidable = y.undecidable || FiniteSize(along) + FiniteSize(across) > kOverflow;
  out->reals["y"] = y;
}
// [doc: end second reference]

TOUCHSTONE_EVALUATE(rope) {
  const FloatMatrix& x = in.real("x");
  const FloatMatrix& table = in.real("table");
  const int64_t H = in.size('H'), J = x.cols() / 2;
  const bool fused = profile.fused && profile.order != Order::kContract;
  const auto sum = [&](float a, float b, float c, float d) {  // a b + c d
    const float second = profile.Result(c * d);
    if (fused) return std::fma(a, b, second);
    const float first = profile.Result(a * b);
    return first + second;
  };
  FloatMatrix y(x.rows(), x.cols());
  for (int64_t row = 0; row < x.rows(); ++row) {
    for (int64_t j = 0; j < J; ++j) {
      const float x0 = x(row, 2 * j), x1 = x(row, 2 * j + 1);
      const float cosine = table(row / H * J + j, 0), sine = table(row / H * J + j, 1);
      y(row, 2 * j) = profile.Output(sum(x0, cosine, -x1, sine), in.output);
      y(row, 2 * j + 1) = profile.Output(sum(x0, sine, x1, cosine), in.output);
    }
  }
  out->reals["y"] = y;
}
