// RMSNorm: y = RN(RN(x r) w), r enclosed by ReciprocalRms; one binary32 product before each place.
#include "reference/exact/reciprocal_rms.h"
#include "reference/exact/second_reference.h"

// [doc: second reference]
TOUCHSTONE_ENCLOSE(rmsnorm) {
  const Enclosure& x = in.real("x");
  const Enclosure r = ReciprocalRms(x, static_cast<double>(in.constant("eps")));
  const Enclosure unit = Multiply(x, r);
  const Enclosure placed = AtPlace(unit, in.storage, in.place(RoundingPlace::kNormUnit));
  out->reals["y"] = Multiply(placed, in.real("weight"), LastOperation(in.storage));
}
// [doc: end second reference]

TOUCHSTONE_EVALUATE(rmsnorm) {
  const FloatMatrix& x = in.real("x");
  const FloatMatrix& weight = in.real("weight");
  FloatMatrix y(x.rows(), x.cols());
  for (int64_t t = 0; t < x.rows(); ++t) {
    const auto row = [&](int64_t c) { return x(t, c); };
    const float sum = profile.SumOfSquares(x.cols(), row);
    const float mean = profile.Divide(sum, static_cast<float>(x.cols()));
    const float r = profile.ReciprocalRoot(profile.Result(mean + in.constant("eps")));
    for (int64_t c = 0; c < x.cols(); ++c) {
      const float unit =
          profile.At(RoundingPlace::kNormUnit, profile.Result(x(t, c) * r), in.storage);
      y(t, c) = profile.Output(unit * weight(0, c), in.output);
    }
  }
  out->reals["y"] = y;
}
