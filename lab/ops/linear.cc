#include "reference/ops/linear/linear.h"

#include "lab/input_class.h"
#include "lab/spec.h"

TOUCHSTONE_OP_SPEC(linear) = {
    .title = "Linear",
    .formula = "y[t,f] = RN(chain over c of x[t,c] * weight[f,c])",
    .arguments = {{"x", Role::kIn, "TC"}, {"weight", Role::kIn, "FC"}, {"y", Role::kOut, "TF"}},
    .sizes = {{'T', 3}, {'C', 80}, {'F', 7}},
    .rules = {"N1", "N3", "N9"},
    .cases = Rows({GeneralClasses({}),
                   {{"normal", {{'T', 0}}},
                    {"normal", {{'C', 0}}},
                    {"normal", {{'T', 1}, {'C', 1}, {'F', 65}}},
                    {"witness", {}}},
                   Hashed({{"integers", {{'C', 1030}}},
                           {"normal", {{'C', 512}}},
                           {"normal", {{'C', 513}}},
                           {"normal", {{'T', 2}, {'C', 1030}}},
                           {"normal", {{'T', 1}, {'C', 5120}, {'F', 2}}},
                           {"witness", {{'C', 1030}}},
                           {"specials", {{'T', 12}, {'C', 5}, {'F', 9}}},
                           {"tiny", {{'T', 3}, {'C', 80}, {'F', 7}}},
                           {"nans", {{'T', 12}, {'C', 5}, {'F', 9}}},
                           {"normal", {{'T', 35}, {'C', 33}, {'F', 37}}},
                           {"normal", {{'T', 2}, {'C', 5120}, {'F', 64}}},
                           {"normal", {{'T', 2}, {'C', 8}, {'F', 8192}}},
                           {"normal", {{'T', 1}, {'C', 16384}, {'F', 16}}},
                           {"normal", {{'T', 1}, {'C', 8}, {'F', 16384}}},
                           {"normal", {{'T', 35}, {'C', 64}, {'F', 64}}},
                           {"normal", {{'T', 100}, {'C', 40}, {'F', 130}}},
                           {"normal", {{'T', 400}, {'C', 24}, {'F', 130}}},
                           {"nans", {{'T', 12}, {'C', 64}, {'F', 64}}},
                           {"zeros_first", {{'T', 12}, {'C', 64}, {'F', 64}}},
                           {"zeros_second", {{'T', 12}, {'C', 64}, {'F', 64}}},
                           {"tiny", {{'T', 3}, {'C', 64}, {'F', 64}}},
                           {"subnormals", {{'T', 3}, {'C', 64}, {'F', 64}}},
                           {"real", {{'T', 4}, {'C', 160}, {'F', 160}}}}),
                   Hashed({{"normal", {{'T', 4}, {'C', 5120}, {'F', 8192}}},
                           {"normal", {{'T', 1}, {'C', 16384}, {'F', 5120}}}},
                          Suite::kFull)}),
    // [doc: example]
    .examples = {{
        .what =
            "the first product is -(1 + 2^-11). The second, (1 + 2^-12)^2 = 1 + 2^-11 + 2^-24, is "
            "added to it by one fma, so that the exact 2^-24 remains. A product rounded on its own "
            "loses the 2^-24, and so does a sum that starts with the last element: both give 0",
        .recipe = Dtype::kF32,
        .sizes = {{'T', 1}, {'C', 2}, {'F', 1}},
        .in = {{"x", {1, 0x1.001p+0}}, {"weight", {-0x1.002p+0, 0x1.001p+0}}},
        .out = {{"y", {0x1p-24}}},
    }},
    // [doc: end example]
    .reason =
        "512, 513 and 1030 lie about the slices of 512, 5120 is the published width; C = 0 must "
        "give +0; 65 outputs lie about the reference's own row of 64; class witness has one weight "
        "of 1 in each row, so that every output is one input, exactly, and a wrong index cannot "
        "hide in a sum. With 100 and 400 rows and 130 columns a tile of 64 or 128 of either is "
        "full, and a last one is not",
    .fill =
        [](const Case& c, const Argument& argument, uint32_t tensor, Tensor* out) {
          if (c.input_class != "witness" || argument.name != "weight") return false;
          const int64_t F = c.size('F'), C = c.size('C');
          for (int64_t f = 0; f < F; ++f) {
            for (int64_t i = 0; i < C; ++i) {
              out->SetReal(f * C + i, i == (f * 131 + tensor % 7) % C ? 1.0f : 0.0f);
            }
          }
          return true;
        },
    .run =
        [](const Case& c, const Implementation& op, Tensors* t, int threads) {
          ByStorage(c.recipe, [&]<typename Storage>() {
            op.As<decltype(Linear<Storage>)>(c.recipe)(
                t->at("x").As<const Storage, 'T', 'C'>(),
                t->at("weight").As<const Storage, 'F', 'C'>(), t->at("y").As<Storage, 'T', 'F'>(),
                threads);
          });
        },
    .rows = 'T',
    .recorded = {{"x", "layer.02/attention_norm"}, {"weight", "weights/layer.02/q"}},
};
