// QK norm: y = RN(x r), every head a row, r enclosed by ReciprocalRms; one binary32 product.
#include "reference/exact/reciprocal_rms.h"
#include "reference/exact/second_reference.h"

// [doc: second reference]
TOUCHSTONE_ENCLOSE(qk_norm) {
  const Enclosure& x = in.real("x");
  const Enclosure r = ReciprocalRms(x, static_cast<double>(in.constant("eps")));
  out->reals["y"] = Multiply(x, r, LastOperation(in.storage));
}
// [doc: end second reference]

TOUCHSTONE_EVALUATE(qk_norm) {
  const FloatMatrix& x = in.real("x");
  FloatMatrix y(x.rows(), x.cols());
  for (int64_t h = 0; h < x.rows(); ++h) {
    const auto head = [&](int64_t d) { return x(h, d); };
    const float sum = profile.SumOfSquares(x.cols(), head);
    const float mean = profile.Divide(sum, static_cast<float>(x.cols()));
    const float r = profile.ReciprocalRoot(profile.Result(mean + in.constant("eps")));
    for (int64_t d = 0; d < x.cols(); ++d) y(h, d) = profile.Output(x(h, d) * r, in.output);
  }
  out->reals["y"] = y;
}
