// Expert linear: y = RN(x w_e^T) for the rows of every expert e, each element within
// C u sum |x_c w_c| before its rounding, as in linear.
#include "reference/exact/second_reference.h"

// [doc: second reference]
TOUCHSTONE_ENCLOSE(expert_linear) {
  const Enclosure& x = in.real("x");
  const Enclosure& weight = in.real("weight");  // E F rows of C
  const Integers& offsets = in.integer("offsets");
  const int64_t F = in.size('F');
  const auto rows = [](const Enclosure& a, int64_t first, int64_t count) -> Enclosure {
    return {a.value.middleRows(first, count), a.lower.middleRows(first, count),
            a.upper.middleRows(first, count), a.undecidable.middleRows(first, count)};
  };

  Enclosure y = Exactly(Matrix::Zero(x.rows(), F));
  for (int64_t e = 0; e < in.size('E'); ++e) {
    const int64_t first = offsets.at(static_cast<size_t>(e));
    const int64_t count = offsets.at(static_cast<size_t>(e + 1)) - first;
    const Enclosure y_e = Contract(rows(x, first, count), rows(weight, e * F, F));
    y.value.middleRows(first, count) = y_e.value;
    y.lower.middleRows(first, count) = y_e.lower;
    y.upper.middleRows(first, count) = y_e.upper;
    y.undecidable.middleRows(first, count) = y_e.undecidable;
  }
  out->reals["y"] = y;
}
// [doc: end second reference]

TOUCHSTONE_EVALUATE(expert_linear) {
  const FloatMatrix& x = in.real("x");
  const FloatMatrix& weight = in.real("weight");
  const Integers& offsets = in.integer("offsets");
  const int64_t F = in.size('F');
  FloatMatrix y(x.rows(), F);
  for (int64_t e = 0; e < in.size('E'); ++e) {
    const int64_t end = offsets.at(static_cast<size_t>(e + 1));
    for (int64_t r = offsets.at(static_cast<size_t>(e)); r < end; ++r) {
      for (int64_t f = 0; f < F; ++f) {
        const float sum = profile.Dot(
            x.cols(), [&](int64_t c) { return x(r, c); },
            [&](int64_t c) { return weight(e * F + f, c); });
        y(r, f) = profile.Output(sum, in.output);
      }
    }
  }
  out->reals["y"] = y;
}
