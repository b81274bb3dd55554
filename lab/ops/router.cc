#include "reference/ops/router/router.h"

#include "lab/input_class.h"
#include "lab/spec.h"
#include "reference/formats/philox.h"

TOUCHSTONE_OP_SPEC(router) = {
    .title = "Router",
    .formula = "chosen[t,a] = the a-th largest of logits[t]; score = RN(1 / (1 + exp(-logit)))",
    .arguments = {{"logits", Role::kIn, "TE", Stored::kRecipe, 5},
                  {"chosen", Role::kOut, "TA", Stored::kI64},
                  {"scores", Role::kOut, "TA"}},
    .sizes = {{'T', 12}, {'E', 16}, {'A', 1}},
    .rules = {"N1", "N5", "N6", "N9"},
    .cases = Rows({GeneralClasses({}),
                   {{"normal", {{'T', 0}}},
                    {"normal", {{'T', 1}, {'E', 1}}},
                    {"normal", {{'T', 40}, {'E', 128}}},
                    {"normal", {{'E', 7}, {'A', 3}}},
                    {"normal", {{'E', 5}, {'A', 5}}},
                    {"ties", {{'A', 4}}},
                    {"zeros", {{'A', 2}}},
                    {"specials", {{'T', 40}, {'E', 33}, {'A', 33}}},
                    {"near_ties", {{'A', 2}}},
                    {"saturated", {{'A', 2}}},
                    {"small_scores", {{'T', 40}, {'E', 6}, {'A', 6}}},
                    {"last_wins", {{'T', 5}, {'E', 128}}}},
                   Hashed({{"normal", {{'T', 35}, {'E', 5}}},
                           {"normal", {{'T', 300}, {'E', 4}}},
                           {"last_wins", {{'T', 3}, {'E', 300}}},
                           {"normal", {{'T', 3}, {'E', 37}, {'A', 37}}},
                           {"ties", {{'T', 4}, {'E', 128}, {'A', 2}}},
                           {"normal", {{'T', 35}, {'E', 16}}},
                           {"real", {{'T', 4}, {'E', 16}}}})}),
    // [doc: example]
    .examples = {{
        .what =
            "token 0: the scores of 20 and 21 both round to 1, so a kernel that compares scores "
            "takes expert 0. Token 1: two logits are 1, and the lowest index is taken; its score "
            "is 1 / (1 + e^-1) = 0.73106, and 187/256 in bf16. A softmax over the three gives 0.45",
        .recipe = Dtype::kBf16,
        .sizes = {{'T', 2}, {'E', 3}, {'A', 1}},
        .in = {{"logits", {20, 21, -3, -0.5, 1, 1}}},
        .out = {{"chosen", {1, 1}}, {"scores", {1, 0.73046875}}},
    }},
    // [doc: end example]
    .reason =
        "16 and 128 experts are the published numbers, one chosen is too; A up to E shows the "
        "whole order. Ties, signs of zero and NaN try rule N6, near_ties has logits one ulp apart, "
        "saturated has logits whose scores all round to 1, so that only the logits tell the order; "
        "last_wins has the largest logit last, at index 127 and 299. 300 tokens and experts pass a "
        "byte and a block of 256. small_scores reaches below -88.72, where exp(-v) is infinite and "
        "the score 0",
    .fill =
        [](const Case& c, const Argument& argument, uint32_t tensor, Tensor* out) {
          // near_ties     1 + (w mod 4) ulp, the ulp that of 1 in the recipe's storage
          // saturated     20 + (w mod 64) / 8
          // small_scores  -(80 + (w mod 256) / 8)
          // last_wins     class normal, but 16 in the last column
          const std::string& own = c.input_class;
          const float ulp = c.recipe == Dtype::kF32 ? 0x1p-23f : 0x1p-7f;
          if (own == "last_wins") FillByClass("normal", c.seed, tensor, argument.exponent, out);
          for (int64_t i = 0; i < out->count(); ++i) {
            const uint32_t w = PhiloxWord(c.seed, tensor, static_cast<uint64_t>(i));
            if (own == "near_ties") {
              out->SetReal(i, 1.0f + static_cast<float>(w % 4) * ulp);
            } else if (own == "saturated") {
              out->SetReal(i, 20.0f + static_cast<float>(w % 64) / 8.0f);
            } else if (own == "small_scores") {
              out->SetReal(i, -80.0f - static_cast<float>(w % 256) / 8.0f);
            } else if (own != "last_wins") {
              return false;
            } else if (i % c.size('E') == c.size('E') - 1) {
              out->SetReal(i, 16.0f);
            }
          }
          return out->count() > 0;
        },
    .run =
        [](const Case& c, const Implementation& op, Tensors* t, int) {
          ByStorage(c.recipe, [&]<typename Storage>() {
            op.As<decltype(Router<Storage>)>(c.recipe)(
                t->at("logits").As<const Storage, 'T', 'E'>(),
                t->at("chosen").As<int64_t, 'T', 'A'>(), t->at("scores").As<Storage, 'T', 'A'>());
          });
        },
    .rows = 'T',
    .recorded = {{"logits", "layer.02/feed_forward/router_logits"}},
};
