// Negate: y = -x, exactly.
#include "reference/exact/second_reference.h"

// [doc: second reference]
TOUCHSTONE_ENCLOSE(negate) {
  const Enclosure& x = in.real("x");
  out->reals["y"] = {-x.value, -x.upper, -x.lower, x.undecidable};
}
// [doc: end second reference]

TOUCHSTONE_EVALUATE(negate) {
  out->reals["y"] = in.real("x").unaryExpr([&](float x) { return profile.Output(-x, in.output); });
}
