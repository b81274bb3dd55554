// Embedding: a copy, so the interval of every element is its value.
#include "reference/exact/second_reference.h"

// [doc: second reference]
TOUCHSTONE_ENCLOSE(embedding) {
  const Integers& ids = in.integer("ids");
  const int64_t C = in.real("table").cols();
  out->reals["h"] =
      Gather(in.real("table"), static_cast<int64_t>(ids.size()), C,
             [&](int64_t t, int64_t c) { return ids[static_cast<size_t>(t)] * C + c; });
}
// [doc: end second reference]

TOUCHSTONE_EVALUATE(embedding) {
  const FloatMatrix& table = in.real("table");
  const Integers& ids = in.integer("ids");
  FloatMatrix h(static_cast<int64_t>(ids.size()), table.cols());
  for (int64_t t = 0; t < h.rows(); ++t) {
    for (int64_t c = 0; c < h.cols(); ++c) {
      h(t, c) = profile.Output(table(ids[static_cast<size_t>(t)], c), in.output);
    }
  }
  out->reals["h"] = h;
}
