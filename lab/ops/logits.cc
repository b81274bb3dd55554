#include "reference/ops/logits/logits.h"

#include "lab/input_class.h"
#include "lab/spec.h"

TOUCHSTONE_OP_SPEC(logits) = {
    .title = "Logits",
    .formula = "y[t,v] = Widen(RN(chain over c of x[t,c] * weight[v,c]))",
    .arguments = {{"x", Role::kIn, "TC"},
                  {"weight", Role::kIn, "VC"},
                  {"y", Role::kOut, "TV", Stored::kF32}},
    .sizes = {{'T', 3}, {'C', 80}, {'V', 11}},
    .rules = {"N1", "N3", "N9"},
    .cases = Rows({GeneralClasses({}),
                   {{"normal", {{'T', 0}}},
                    {"normal", {{'C', 0}}},
                    {"normal", {{'T', 1}, {'C', 16}, {'V', 130}}},
                    {"close", {}}},
                   Hashed({{"normal", {{'T', 2}, {'C', 513}, {'V', 5}}},
                           {"normal", {{'T', 1}, {'C', 5120}, {'V', 3}}},
                           {"witness", {{'T', 2}, {'C', 523}, {'V', 9}}},
                           {"specials", {{'T', 12}, {'C', 5}, {'V', 9}}},
                           {"tiny", {{'T', 3}, {'C', 80}, {'V', 11}}},
                           {"normal", {{'T', 35}, {'C', 9}, {'V', 37}}},
                           {"normal", {{'T', 2}, {'C', 5120}, {'V', 64}}},
                           {"normal", {{'T', 2}, {'C', 16}, {'V', 202048}}},
                           {"normal", {{'T', 35}, {'C', 64}, {'V', 64}}},
                           {"nans", {{'T', 12}, {'C', 64}, {'V', 64}}},
                           {"zeros_first", {{'T', 12}, {'C', 64}, {'V', 64}}},
                           {"zeros_second", {{'T', 12}, {'C', 64}, {'V', 64}}},
                           {"tiny", {{'T', 3}, {'C', 64}, {'V', 64}}},
                           {"real", {{'T', 4}, {'C', 160}, {'V', 264}}}}),
                   Hashed({{"normal", {{'T', 1}, {'C', 512}, {'V', 202048}}},
                           {"normal", {{'T', 1}, {'C', 5120}, {'V', 16384}}}},
                          Suite::kFull)}),
    // [doc: example]
    .examples = {{
        .what = "the sums are 1 and 1 + 2^-9. bf16 has no number between 1 and 1 + 2^-7, so both "
                "logits are 1, and a greedy choice takes token 0, the lowest of equals. A kernel "
                "that leaves the sums in binary32 gives 1 + 2^-9 and lets token 1 win",
        .recipe = Dtype::kBf16,
        .sizes = {{'T', 1}, {'C', 2}, {'V', 2}},
        .in = {{"x", {1, 0x1p-9}}, {"weight", {1, 0, 1, 1}}},
        .out = {{"y", {1, 1}}},
    }},
    // [doc: end example]
    .reason =
        "the chain is that of op linear, with 513 and 5120 (the published width) about and beyond "
        "its slices of 512; C = 0 must give +0; 130 rows lie about the reference's own row of 64. "
        "Class witness has one weight of 1 in each row, so that every logit is one input. In class "
        "close the logits of a token differ by less than a bf16 unit, so that the rounding decides "
        "which of them are equal",
    .fill =
        [](const Case& c, const Argument& argument, uint32_t tensor, Tensor* out) {
          if (argument.name != "weight") return false;
          const int64_t V = c.size('V'), C = c.size('C');
          if (c.input_class == "witness") {
            for (int64_t i = 0; i < out->count(); ++i) out->SetReal(i, 0.0f);
            for (int64_t v = 0; v < V; ++v) {
              out->SetReal(v * C + (v * 131 + tensor % 7) % C, 1.0f);
            }
            return true;
          }
          if (c.input_class == "close") {
            // Rows equal the class-normal row 0, but for weight[v, v] = 2^-9.
            FillByClass("normal", c.seed, tensor, argument.exponent, out);
            for (int64_t v = 0; v < V; ++v) {
              for (int64_t i = 0; i < C; ++i) {
                out->SetReal(v * C + i, i == v ? 0x1p-9f : static_cast<float>(out->Real(i)));
              }
            }
            return true;
          }
          return false;
        },
    .run =
        [](const Case& c, const Implementation& op, Tensors* t, int threads) {
          ByStorage(c.recipe, [&]<typename Storage>() {
            op.As<decltype(Logits<Storage>)>(c.recipe)(
                t->at("x").As<const Storage, 'T', 'C'>(),
                t->at("weight").As<const Storage, 'V', 'C'>(), t->at("y").As<float, 'T', 'V'>(),
                threads);
          });
        },
    .rows = 'T',
    .recorded = {{"x", "final_norm"}, {"weight", "weights/lm_head"}},
};
