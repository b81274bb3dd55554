#include "reference/ops/rmsnorm/rmsnorm.h"

#include "lab/input_class.h"
#include "lab/spec.h"

TOUCHSTONE_OP_SPEC(rmsnorm) = {
    .title = "RMSNorm",
    .formula = "y = RN(RN(x * 1/sqrt(mean(x^2) + eps)) * weight)",
    .arguments = {{"x", Role::kIn, "TC"}, {"weight", Role::kIn, "C"}, {"y", Role::kOut, "TC"}},
    .sizes = {{'T', 3}, {'C', 80}},
    .attributes = {{"eps", 1e-5}},
    .recipes = {Dtype::kF32, Dtype::kBf16},
    .rules = {"N4", "N5", "N9", "N12"},
    .cases = Rows({GeneralClasses({}),
                   {{"normal", {{'T', 0}}},
                    {"normal", {{'T', 1}, {'C', 1}}},
                    {"normal", {{'T', 2}, {'C', 255}}},
                    {"normal", {{'T', 2}, {'C', 256}}},
                    {"normal", {{'T', 2}, {'C', 515}}},
                    {"small", {}},
                    {"small", {}, {{"eps", 1e-6}}}},
                   Hashed({{"normal", {{'T', 1}, {'C', 5120}}},
                           {"specials", {{'T', 40}, {'C', 9}}},
                           {"tiny", {{'T', 3}, {'C', 80}}},
                           {"normal", {{'T', 35}, {'C', 37}}},
                           {"normal", {{'T', 4}, {'C', 5120}}},
                           {"normal", {{'T', 35}, {'C', 64}}},
                           {"specials", {{'T', 40}, {'C', 64}}},
                           {"last", {{'T', 4}, {'C', 5120}}},
                           {"real", {{'T', 4}, {'C', 160}}}})}),
    // [doc: example]
    .examples = {{
        .what = "the squares 1 and 49 have the mean 25, so r = 1/5 in binary32. RN(1 r) = 205/1024 "
                "and RN(7 r) = 179/128; times 9/8 the second is 201.375/128, which rounds to "
                "201/128. A kernel that rounds once, after the weight, ends at 202/128",
        .recipe = Dtype::kBf16,
        .sizes = {{'T', 1}, {'C', 2}},
        .attributes = {{"eps", 0.0}},
        .in = {{"x", {1, 7}}, {"weight", {1, 1.125}}},
        .out = {{"y", {0x1.9ap-3, 0x1.92p+0}}},
    }},
    // [doc: end example]
    .reason =
        "255, 256 and 515 channels lie about the 256 lanes of the sum, 5120 is the published "
        "width; class small has rows whose mean square is near eps, so that a wrong or misplaced "
        "eps is seen, class last one large element at the end of each row, where one of 5120 "
        "weighs "
        "too little to be missed",
    .fill =
        [](const Case& c, const Argument& argument, uint32_t tensor, Tensor* out) {
          if (c.input_class != "small" || argument.name != "x") return false;
          FillByClass("normal", c.seed, tensor, 15, out);
          return true;
        },
    .run =
        [](const Case& c, const Implementation& op, Tensors* t, int) {
          ByStorage(c.recipe, [&]<typename Storage>() {
            op.As<decltype(RmsNorm<Storage>)>(c.recipe)(
                t->at("x").As<const Storage, 'T', 'C'>(), t->at("weight").As<const Storage, 'C'>(),
                c.constant("eps"), t->at("y").As<Storage, 'T', 'C'>());
          });
        },
    .rows = 'T',
    .recorded = {{"x", "layer.01/output"}, {"weight", "weights/layer.02/attention_norm"}},
    .places = {exact::RoundingPlace::kNormUnit},
};
