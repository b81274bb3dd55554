#include "reference/ops/residual_add/residual_add.h"

#include "lab/input_class.h"
#include "lab/spec.h"

TOUCHSTONE_OP_SPEC(residual_add) = {
    .title = "Residual add",
    .formula = "y = RN(a + b)",
    .arguments = {{"a", Role::kIn, "TC"}, {"b", Role::kIn, "TC"}, {"y", Role::kOut, "TC"}},
    .sizes = {{'T', 3}, {'C', 80}},
    .rules = {"N1", "N2", "N9"},
    .cases = Rows({GeneralClasses({}),
                   {{"normal", {{'T', 0}}},
                    {"normal", {{'T', 1}, {'C', 1}}},
                    {"normal", {{'T', 7}, {'C', 67}}},
                    {"cancel", {}}},
                   Hashed({{"normal", {{'T', 1}, {'C', 5120}}},
                           {"normal", {{'T', 35}, {'C', 37}}},
                           {"normal", {{'T', 4}, {'C', 5120}}},
                           {"normal", {{'T', 35}, {'C', 64}}},
                           {"real", {{'T', 4}, {'C', 160}}}})}),
    // [doc: example]
    .examples = {{
        .what = "257 and 259 lie half way between two bf16 numbers, which are 2 apart there. The "
                "one with the even last bit is right: 256 = 128 * 2 and 260 = 130 * 2. Halves away "
                "from zero give 258 and 260, truncation gives 256 and 258",
        .recipe = Dtype::kBf16,
        .sizes = {{'T', 1}, {'C', 2}},
        .in = {{"a", {256, 258}}, {"b", {1, 1}}},
        .out = {{"y", {256, 260}}},
    }},
    // [doc: end example]
    .reason =
        "one binary32 addition and one rounding, so what can go wrong is the rounding (ties are "
        "common in bf16), a flushed subnormal and a wrong index: 67 and 5120 channels lie off and "
        "on the usual vector widths. In class cancel b = -a, less a little in every third element: "
        "the sum is exact and small, which a kernel that adds in bf16 or swaps rows cannot give",
    .fill =
        [](const Case& c, const Argument& argument, uint32_t, Tensor* out) {
          if (c.input_class != "cancel") return false;
          // a: class normal of tensor number 0. b = -a; where i mod 3 = 1, -a times 1 - 2^-7 (bf16)
          // or 1 - 2^-24 (f32), rounded.
          FillByClass("normal", c.seed, 0, argument.exponent, out);
          if (argument.name == "a") return true;
          for (int64_t i = 0; i < out->count(); ++i) {
            const float a = static_cast<float>(out->Real(i));
            const float nearer = out->dtype == Dtype::kBf16 ? a * 0.9921875f : a * 0x1.fffffep-1f;
            out->SetReal(i, i % 3 == 1 ? -nearer : -a);
          }
          return true;
        },
    .run =
        [](const Case& c, const Implementation& op, Tensors* t, int) {
          ByStorage(c.recipe, [&]<typename Storage>() {
            op.As<decltype(ResidualAdd<Storage>)>(c.recipe)(
                t->at("a").As<const Storage, 'T', 'C'>(), t->at("b").As<const Storage, 'T', 'C'>(),
                t->at("y").As<Storage, 'T', 'C'>());
          });
        },
    .rows = 'T',
    .recorded = {{"a", "layer.02/attention_residual"}, {"b", "layer.02/feed_forward/output"}},
};
