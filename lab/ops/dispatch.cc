#include "reference/ops/dispatch/dispatch.h"

#include "lab/input_class.h"
#include "lab/spec.h"
#include "reference/formats/philox.h"

TOUCHSTONE_OP_SPEC(dispatch) = {
    .title = "Dispatch",
    .formula = "rows[r,c] = RN(x[t,c] * score of t for e), (e, t) the r-th pair in ascending order",
    .arguments = {{"x", Role::kIn, "TC"},
                  {"chosen", Role::kIn, "TA", Stored::kI64},
                  {"scores", Role::kIn, "TA"},
                  {"rows", Role::kOut, "RC"},
                  {"row_token", Role::kOut, "R", Stored::kI64},
                  {"offsets", Role::kOut, "O", Stored::kI64}},
    .sizes = {{'T', 5}, {'C', 40}, {'A', 1}, {'E', 4}},
    .rules = {"N1", "N9"},
    .cases = Rows({GeneralClasses({}),
                   {{"normal", {{'T', 0}}},
                    {"normal", {{'T', 1}, {'C', 1}, {'E', 1}}},
                    {"normal", {{'T', 7}, {'C', 33}, {'A', 2}, {'E', 5}}},
                    {"normal", {{'T', 3}, {'C', 9}, {'A', 4}}},
                    {"scored", {}},
                    {"scored", {{'T', 40}, {'C', 3}, {'E', 128}}},
                    {"one_expert", {}},
                    {"gaps", {{'E', 8}}},
                    {"labels", {}},
                    {"labels", {{'T', 12}, {'A', 3}, {'E', 6}}}},
                   Hashed({{"normal", {{'T', 1}, {'C', 5120}, {'E', 16}}},
                           {"normal", {{'T', 35}, {'C', 37}, {'E', 5}}},
                           {"normal", {{'T', 5}, {'C', 9}, {'A', 5}, {'E', 7}}},
                           {"normal", {{'T', 300}, {'C', 2}, {'E', 3}}},
                           {"normal", {{'T', 4}, {'C', 5120}, {'E', 16}}},
                           {"normal", {{'T', 4}, {'C', 5120}, {'E', 128}}},
                           {"scored", {{'T', 3}, {'C', 3}, {'A', 37}, {'E', 37}}},
                           {"normal", {{'T', 35}, {'C', 64}, {'E', 16}}},
                           {"zeros_second", {{'T', 12}, {'C', 64}, {'E', 16}}},
                           {"real", {{'T', 4}, {'C', 160}, {'E', 16}}}})}),
    // [doc: example]
    .examples = {{
        .what = "token 1 chose expert 0, tokens 0 and 2 chose expert 2, nobody expert 1. Sorted by "
                "expert, then token, the rows are those of the tokens 1, 0, 2, each times its own "
                "score: 5 / 4, 3 / 2, 7 / 8. Scores that stay in the order of tokens give 5 / 2 "
                "first; unscaled rows (the score put on the output) give 5, 3, 7",
        .recipe = Dtype::kBf16,
        .sizes = {{'T', 3}, {'C', 1}, {'A', 1}, {'E', 3}},
        .in = {{"x", {3, 5, 7}}, {"chosen", {2, 0, 2}}, {"scores", {0.5, 0.25, 0.125}}},
        .out = {{"rows", {1.25, 1.5, 0.875}}, {"row_token", {1, 0, 2}}, {"offsets", {0, 1, 1, 3}}},
    }},
    // [doc: end example]
    .reason =
        "general classes for scores too, since the op is defined on any; class scored has the "
        "scores that a sigmoid gives, in (0, 1]. Class one_expert gives all tokens to the last, "
        "class gaps leaves every second expert empty. In class labels every row tells its token, "
        "and its score, a power of two, the place that the expert had among the token's choices: "
        "any wrong gather is seen. A is 1 in the published models; 2, 3 and all E experts are "
        "allowed. 5120 is the published width, 128 experts are Maverick's",
    .derive =
        [](Sizes* sizes) {
          (*sizes)['R'] = sizes->at('T') * sizes->at('A');
          (*sizes)['O'] = sizes->at('E') + 1;
        },
    .fill =
        [](const Case& c, const Argument& argument, uint32_t tensor, Tensor* out) {
          const std::string& own = c.input_class;
          const int64_t A = c.size('A'), E = c.size('E'), C = c.size('C');
          if (argument.name == "chosen") {
            TOUCHSTONE_REQUIRE(E >= (own == "gaps" ? 2 : 1) || out->count() == 0);
            // chosen[t,a] = (e + a (E - 1)) mod E, the choices e, e - 1, ... of the token, with
            //   e = w_t mod E; one_expert: E - 1; gaps: odd, 2 (w_t mod floor(E / 2)) + 1
            for (int64_t t = 0; t < c.size('T'); ++t) {
              const int64_t w = PhiloxWord(c.seed, tensor, static_cast<uint64_t>(t));
              int64_t e = w % E;
              if (own == "one_expert") e = E - 1;
              if (own == "gaps") e = 2 * (w % (E / 2)) + 1;
              for (int64_t a = 0; a < A; ++a) {
                out->values<int64_t>()[t * A + a] = (e + a * (E - 1)) % E;
              }
            }
            return true;
          }
          if (own == "labels") {
            // x[t,i] = 16 t + i mod 16 + 1; scores[t,a] = 2^-a
            for (int64_t i = 0; i < out->count(); ++i) {
              const float label = static_cast<float>(16 * (i / C) + i % C % 16 + 1);
              const float score = 1.0f / static_cast<float>(int64_t{1} << (i % A));
              out->SetReal(i, argument.name == "x" ? label : score);
            }
            return true;
          }
          if (own == "scored" && argument.name == "scores") {
            // (w mod 256 + 1) / 256
            for (int64_t i = 0; i < out->count(); ++i) {
              const uint32_t w = PhiloxWord(c.seed, tensor, static_cast<uint64_t>(i));
              out->SetReal(i, static_cast<float>(w % 256 + 1) / 256.0f);
            }
            return true;
          }
          if (own != "scored" && own != "one_expert" && own != "gaps") return false;
          FillByClass("normal", c.seed, tensor, argument.exponent, out);
          return true;
        },
    .run =
        [](const Case& c, const Implementation& op, Tensors* t, int) {
          ByStorage(c.recipe, [&]<typename Storage>() {
            op.As<decltype(Dispatch<Storage>)>(c.recipe)(
                t->at("x").As<const Storage, 'T', 'C'>(),
                t->at("chosen").As<const int64_t, 'T', 'A'>(),
                t->at("scores").As<const Storage, 'T', 'A'>(),
                t->at("rows").As<Storage, 'R', 'C'>(), t->at("row_token").As<int64_t, 'R'>(),
                t->at("offsets").As<int64_t, 'O'>());
          });
        },
    .recorded = {{"x", "layer.02/feed_forward_norm"},
                 {"chosen", "layer.02/feed_forward/chosen"},
                 {"scores", "layer.02/feed_forward/scores"}},
};
