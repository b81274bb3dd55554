#include "lab/spec.h"
#include "reference/ops/negate/negate.h"

TOUCHSTONE_OP_SPEC(negate) = {
    .title = "Negate",
    .formula = "y = RN(-x)",
    .arguments = {{"x", Role::kIn, "TC"}, {"y", Role::kOut, "TC"}},
    .sizes = {{'T', 2}, {'C', 5}},
    .rules = {"N1"},
    .cases = GeneralClasses({}),
    // [doc: example]
    .examples = {{
        .what = "the sign of a zero changes too; 0 - x would leave it",
        .sizes = {{'T', 1}, {'C', 2}},
        .in = {{"x", {0.0, -3.0}}},
        .out = {{"y", {-0.0, 3.0}}},
    }},
    // [doc: end example]
    .reason = "every class; the op has no edges",
    .run =
        [](const Case& c, const Implementation& op, Tensors* t, int) {
          ByStorage(c.recipe, [&]<typename Storage>() {
            op.As<decltype(Negate<Storage>)>(c.recipe)(t->at("x").As<const Storage, 'T', 'C'>(),
                                                       t->at("y").As<Storage, 'T', 'C'>());
          });
        },
};
