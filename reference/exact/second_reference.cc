#include "reference/exact/second_reference.h"

#include <cmath>
#include <stdexcept>
#include <utility>

namespace touchstone::exact {

// Every row of reference/ops.def must have both functions: a missing one does not link.
#define OP(op, Function)                                                      \
  void Enclose_##op(const Operands<Enclosure>& in, Results<Enclosure>* out);  \
  void Evaluate_##op(const Profile& profile, const Operands<FloatMatrix>& in, \
                     Results<FloatMatrix>* out);
#define OP_F32(op, Function) OP(op, Function)
#define CHAIN(op, parts)
#include "reference/ops.def"
#undef OP

const SecondReference& FindSecondReference(const std::string& op) {
  static const std::vector<SecondReference> all = {
#define OP(op, Function) {#op, Enclose_##op, Evaluate_##op},
#include "reference/ops.def"
#undef OP
#undef OP_F32
#undef CHAIN
  };
  for (const SecondReference& row : all) {
    if (row.op == op) return row;
  }
  throw std::out_of_range("no second reference of op " + op);
}

void Evaluate(const std::string& op, const Profile& profile, Operands<FloatMatrix> in,
              Results<FloatMatrix>* out) {
  if (profile.flush_inputs) {
    for (auto& [name, x] : in.reals) {
      x = x.unaryExpr(
          [](float v) { return std::fabs(v) < 0x1p-126f ? std::copysign(0.0f, v) : v; });
    }
  }
  FindSecondReference(op).evaluate(profile, in, out);
}

Choices Certain(const Integers& values) {
  Choices all;
  for (const int64_t value : values) all.push_back({value});
  return all;
}

}  // namespace touchstone::exact
