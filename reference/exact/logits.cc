// Logits: y = Widen(RN(x w^T)), every element within C u sum |x_c w_c| before its rounding. The
// rounding to storage is no optional place: equal logits, and with them the greedy choice, depend
// on it. The interval is therefore the one after it.
#include "reference/exact/second_reference.h"

// [doc: second reference]
TOUCHSTONE_ENCLOSE(logits) {
  out->reals["y"] = AtPlace(Contract(in.real("x"), in.real("weight")), in.storage, Place::kOn);
}
// [doc: end second reference]

TOUCHSTONE_EVALUATE(logits) {
  const FloatMatrix& x = in.real("x");
  const FloatMatrix& weight = in.real("weight");
  FloatMatrix y(x.rows(), weight.rows());
  for (int64_t t = 0; t < y.rows(); ++t) {
    for (int64_t v = 0; v < y.cols(); ++v) {
      const float sum = profile.Dot(
          x.cols(), [&](int64_t c) { return x(t, c); }, [&](int64_t c) { return weight(v, c); });
      y(t, v) = profile.Output(sum, in.output);
    }
  }
  out->reals["y"] = y;
}
