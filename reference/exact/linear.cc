// Linear: y = RN(x w^T), every element within C u sum |x_c w_c| before its rounding.
#include "reference/exact/second_reference.h"

// [doc: second reference]
TOUCHSTONE_ENCLOSE(linear) { out->reals["y"] = Contract(in.real("x"), in.real("weight")); }
// [doc: end second reference]

TOUCHSTONE_EVALUATE(linear) {
  const FloatMatrix& x = in.real("x");
  const FloatMatrix& weight = in.real("weight");
  FloatMatrix y(x.rows(), weight.rows());
  for (int64_t t = 0; t < y.rows(); ++t) {
    for (int64_t f = 0; f < y.cols(); ++f) {
      const float sum = profile.Dot(
          x.cols(), [&](int64_t c) { return x(t, c); }, [&](int64_t c) { return weight(f, c); });
      y(t, f) = profile.Output(sum, in.output);
    }
  }
  out->reals["y"] = y;
}
