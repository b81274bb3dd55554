// KV append: a copy into rows of the cache, so the interval of every element is its value, and that
// of a row that is not written is what it was.
#include "reference/exact/second_reference.h"

namespace touchstone::exact {
namespace {

// Rows of the flattened cache, G for each position.
template <typename M>
M Appended(M cache, const M& tokens, int64_t first_row) {
  cache.middleRows(first_row, tokens.rows()) = tokens;
  return cache;
}

Enclosure Appended(const Enclosure& cache, const Enclosure& tokens, int64_t first_row) {
  return {Appended(cache.value, tokens.value, first_row),
          Appended(cache.lower, tokens.lower, first_row),
          Appended(cache.upper, tokens.upper, first_row),
          Appended(cache.undecidable, tokens.undecidable, first_row)};
}

}  // namespace
}  // namespace touchstone::exact

// [doc: second reference]
TOUCHSTONE_ENCLOSE(kv_append) {
  const int64_t first_row = static_cast<int64_t>(in.attribute("first")) * in.size('G');
  out->reals["keys"] = Appended(in.real("keys"), in.real("k"), first_row);
  out->reals["values"] = Appended(in.real("values"), in.real("v"), first_row);
}
// [doc: end second reference]

TOUCHSTONE_EVALUATE(kv_append) {
  const int64_t first_row = static_cast<int64_t>(in.attribute("first")) * in.size('G');
  const auto stored = [&](float x) { return profile.Output(x, in.output); };
  out->reals["keys"] = Appended(in.real("keys"), in.real("k"), first_row).unaryExpr(stored);
  out->reals["values"] = Appended(in.real("values"), in.real("v"), first_row).unaryExpr(stored);
}
