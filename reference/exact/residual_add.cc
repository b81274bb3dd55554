// Residual add: y = RN(a + b), one addition.
#include "reference/exact/second_reference.h"

// [doc: second reference]
TOUCHSTONE_ENCLOSE(residual_add) {
  out->reals["y"] = Add(in.real("a"), in.real("b"), LastOperation(in.storage));
}
// [doc: end second reference]

TOUCHSTONE_EVALUATE(residual_add) {
  const FloatMatrix sum = in.real("a") + in.real("b");
  out->reals["y"] = sum.unaryExpr([&](float x) { return profile.Output(x, in.output); });
}
