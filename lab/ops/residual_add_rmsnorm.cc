#include "reference/ops/chains.h"

#include "lab/input_class.h"
#include "lab/spec.h"

TOUCHSTONE_OP_SPEC(residual_add_rmsnorm) = {
    .title = "Residual add, then RMSNorm",
    .formula = "sum = RN(h + delta); y = RMSNorm(sum)",
    .arguments = {{"h", Role::kIn, "TC"},
                  {"delta", Role::kIn, "TC"},
                  {"weight", Role::kIn, "C"},
                  {"sum", Role::kOut, "TC"},
                  {"y", Role::kOut, "TC"}},
    .sizes = {{'T', 3}, {'C', 80}},
    .attributes = {{"eps", 1e-5}},
    .rules = {"N4", "N5", "N9", "N12"},
    .cases = Rows({{{"subnormals", {}},
                    {"specials", {}},
                    {"zeros", {}},
                    {"integers", {}},
                    {"normal", {}},
                    {"wide", {}},
                    {"outliers", {}},
                    {"ties", {}},
                    {"normal", {{'T', 0}}},
                    {"normal", {{'T', 1}, {'C', 515}}}},
                   Hashed({{"normal", {{'T', 1}, {'C', 5120}}},
                           {"specials", {{'T', 40}, {'C', 9}}},
                           {"normal", {{'T', 35}, {'C', 37}}},
                           {"normal", {{'T', 4}, {'C', 5120}}},
                           {"normal", {{'T', 35}, {'C', 64}}},
                           {"specials", {{'T', 40}, {'C', 64}}},
                           {"last", {{'T', 4}, {'C', 5120}}},
                           {"real", {{'T', 4}, {'C', 160}}}})}),
    // [doc: example]
    .examples = {{
        .what = "the sum is (1, 7), and from there the numbers are those of op rmsnorm's example. "
                "A kernel that normalises h in place of the sum gives (0, 1.59)",
        .recipe = Dtype::kBf16,
        .sizes = {{'T', 1}, {'C', 2}},
        .attributes = {{"eps", 0.0}},
        .in = {{"h", {0, 6}}, {"delta", {1, 1}}, {"weight", {1, 1.125}}},
        .out = {{"sum", {1, 7}}, {"y", {0x1.9ap-3, 0x1.92p+0}}},
    }},
    // [doc: end example]
    .reason =
        "the pair that every layer runs twice and that kernels fuse. The sum is an output too: a "
        "fused kernel must store it rounded, though it may go on with the unrounded one. Sums of "
        "class normal in bf16 are ties often, where the two differ most; class last as in op "
        "rmsnorm",
    .run =
        [](const Case& c, const Implementation& chain, Tensors* t, int) {
          ByStorage(c.recipe, [&]<typename Storage>() {
            chain.As<decltype(ResidualAddRmsnorm<Storage>)>(c.recipe)(
                t->at("h").As<const Storage, 'T', 'C'>(),
                t->at("delta").As<const Storage, 'T', 'C'>(),
                t->at("weight").As<const Storage, 'C'>(), c.constant("eps"),
                t->at("sum").As<Storage, 'T', 'C'>(), t->at("y").As<Storage, 'T', 'C'>());
          });
        },
    .rows = 'T',
    .recorded = {{"h", "layer.01/output"},
                 {"delta", "layer.02/attention/output"},
                 {"weight", "weights/layer.02/feed_forward_norm"}},
    .steps = {{.op = "residual_add",
               .tensors = {{"a", "h"}, {"b", "delta"}, {"y", "sum"}},
               .places = {{"y", exact::RoundingPlace::kResidual}}},
              {.op = "rmsnorm", .tensors = {{"x", "sum"}, {"weight", "weight"}, {"y", "y"}}}},
};
