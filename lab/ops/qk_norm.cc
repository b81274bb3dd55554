#include "reference/ops/qk_norm/qk_norm.h"

#include <cmath>

#include "lab/input_class.h"
#include "lab/spec.h"

TOUCHSTONE_OP_SPEC(qk_norm) = {
    .title = "QK norm",
    .formula = "y[t,h,d] = RN(x[t,h,d] * 1/sqrt(mean over d of x^2 + eps))",
    .arguments = {{"x", Role::kIn, "THD"}, {"y", Role::kOut, "THD"}},
    .sizes = {{'T', 3}, {'H', 4}, {'D', 16}},
    .attributes = {{"eps", 1e-5}},
    .rules = {"N4", "N5", "N9", "N12"},
    .cases = Rows({GeneralClasses({}),
                   {{"specials", {{'T', 4}, {'H', 5}, {'D', 16}}},
                    {"normal", {{'T', 0}}},
                    {"normal", {{'T', 1}, {'H', 1}, {'D', 1}}},
                    {"normal", {{'T', 2}, {'H', 3}, {'D', 7}}},
                    {"normal", {{'T', 1}, {'H', 2}, {'D', 255}}},
                    {"normal", {{'T', 1}, {'H', 2}, {'D', 257}}},
                    {"normal", {{'T', 1}, {'H', 1}, {'D', 515}}},
                    {"uneven", {}},
                    {"small", {}},
                    {"small", {}, {{"eps", 1e-6}}}},
                   Hashed({{"normal", {{'T', 1}, {'H', 40}, {'D', 128}}},
                           {"specials", {{'T', 12}, {'H', 3}, {'D', 3}}},
                           {"normal", {{'T', 35}, {'H', 1}, {'D', 4}}},
                           {"normal", {{'T', 2}, {'H', 37}, {'D', 3}}},
                           {"normal", {{'T', 4}, {'H', 40}, {'D', 128}}},
                           {"normal", {{'T', 35}, {'H', 5}, {'D', 128}}},
                           {"specials", {{'T', 12}, {'H', 5}, {'D', 128}}},
                           {"real", {{'T', 4}, {'H', 5}, {'D', 32}}}})}),
    // [doc: example]
    .examples = {{
        .what = "two heads, of which the second is twice the first: both have the norm (1, 7)/5, "
                "and in bf16 RN(0.2) = 205/1024, RN(1.4) = 179/128. A mean over both heads, 62.5, "
                "makes one too small and the other too large; a sum in place of the mean divides "
                "all by sqrt(2)",
        .recipe = Dtype::kBf16,
        .sizes = {{'T', 1}, {'H', 2}, {'D', 2}},
        .attributes = {{"eps", 0.0}},
        .in = {{"x", {1, 7, 2, 14}}},
        .out = {{"y", {0x1.9ap-3, 0x1.66p+0, 0x1.9ap-3, 0x1.66p+0}}},
    }},
    // [doc: end example]
    .reason =
        "class uneven makes head h 4^(h mod 4) times as large, and its second half 16 times as "
        "large as its first, so that a norm over several heads or over half a head is seen; random "
        "heads of one size hide it. Class small has a mean square near eps, so that a wrong or "
        "misplaced eps is seen; zeros must stay zeros. 255, 257 and 515 lie about the 256 lanes of "
        "the sum, 40 heads of 128 are the published width",
    .fill =
        [](const Case& c, const Argument& argument, uint32_t tensor, Tensor* out) {
          // small    class normal with E = 15
          // uneven   class normal, times 4^(h mod 4), times 16 where 2 d >= D
          const bool uneven = c.input_class == "uneven";
          if (!uneven && c.input_class != "small") return false;
          FillByClass("normal", c.seed, tensor, uneven ? argument.exponent : 15, out);
          const int64_t H = c.size('H'), D = c.size('D');
          for (int64_t i = 0; uneven && i < out->count(); ++i) {
            const int head = static_cast<int>(i / D % H % 4);
            const int half = 2 * (i % D) >= D ? 4 : 0;
            out->SetReal(i, std::ldexp(static_cast<float>(out->Real(i)), 2 * head + half));
          }
          return true;
        },
    .run =
        [](const Case& c, const Implementation& op, Tensors* t, int) {
          ByStorage(c.recipe, [&]<typename Storage>() {
            op.As<decltype(QkNorm<Storage>)>(c.recipe)(
                t->at("x").As<const Storage, 'T', 'H', 'D'>(), c.constant("eps"),
                t->at("y").As<Storage, 'T', 'H', 'D'>());
          });
        },
    .rows = 'T',
    .recorded = {{"x", "layer.02/attention/q_rope"}},
};
