#include "reference/ops/chains.h"

#include "lab/input_class.h"
#include "lab/spec.h"
#include "reference/formats/philox.h"

TOUCHSTONE_OP_SPEC(rope_qk_norm) = {
    .title = "RoPE, then QK norm",
    .formula = "rotated = RoPE(x, table); y = QkNorm(rotated)",
    .arguments = {{"x", Role::kIn, "THD"},
                  {"table", Role::kIn, "TJ2", Stored::kF32},
                  {"y", Role::kOut, "THD"}},
    .sizes = {{'T', 3}, {'H', 2}, {'D', 16}},
    .attributes = {{"eps", 1e-5}},
    .rules = {"N1", "N4", "N5", "N9", "N12"},
    .cases = Rows({{{"subnormals", {}},
                    {"specials", {}},
                    {"zeros", {}},
                    {"integers", {}},
                    {"normal", {}},
                    {"wide", {}},
                    {"outliers", {}},
                    {"ties", {}},
                    {"normal", {{'T', 0}}},
                    {"normal", {{'T', 1}, {'H', 1}, {'D', 2}}},
                    {"normal", {{'T', 2}, {'H', 3}, {'D', 128}}}},
                   Hashed({{"normal", {{'T', 35}, {'H', 1}, {'D', 4}}},
                           {"normal", {{'T', 2}, {'H', 37}, {'D', 6}}},
                           {"normal", {{'T', 2}, {'H', 5}, {'D', 70}}},
                           {"normal", {{'T', 4}, {'H', 40}, {'D', 128}}},
                           {"normal", {{'T', 35}, {'H', 5}, {'D', 128}}},
                           {"normal", {{'T', 2}, {'H', 3}, {'D', 256}}},
                           {"real", {{'T', 4}, {'H', 5}, {'D', 32}}}})}),
    // [doc: example]
    .examples = {{
        .what =
            "a quarter turn takes (1, 7) to (-7, 1). The mean of the squares is 25, so r = 1/5, "
            "RN(-7/5) = -179/128 and RN(1/5) = 205/1024. A turn the other way gives (7, -1)/5",
        .recipe = Dtype::kBf16,
        .sizes = {{'T', 1}, {'H', 1}, {'D', 2}},
        .attributes = {{"eps", 0.0}},
        .in = {{"x", {1, 7}}, {"table", {0, 1}}},
        .out = {{"y", {-0x1.66p+0, 0x1.9ap-3}}},
    }},
    // [doc: end example]
    .reason =
        "what a fused kernel does to queries and keys of a layer with RoPE. Angles are quarter "
        "turns (the integer classes stay exact) and turns with cosine and sine 0.6 and 0.8; one "
        "pair and the published head of 128 are the ends of the width, and of 256 each lane of the "
        "norm has one element",
    .derive = [](Sizes* sizes) { sizes->insert_or_assign('J', sizes->at('D') / 2); },
    .fill =
        [](const Case& c, const Argument& argument, uint32_t tensor, Tensor* out) {
          if (argument.name != "table") return false;
          // Pair i turns by k = w mod 8, in classes integers and ties by k = w mod 4.
          static constexpr float kTurns[8][2] = {{1, 0},         {0, 1},       {-1, 0},
                                                 {0, -1},        {0.6f, 0.8f}, {-0.8f, 0.6f},
                                                 {-0.6f, -0.8f}, {0.8f, -0.6f}};
          const uint32_t turns = c.input_class == "integers" || c.input_class == "ties" ? 4 : 8;
          for (int64_t i = 0; i < out->count() / 2; ++i) {
            const uint32_t k = PhiloxWord(c.seed, tensor, static_cast<uint64_t>(i)) % turns;
            out->SetReal(2 * i, kTurns[k][0]);
            out->SetReal(2 * i + 1, kTurns[k][1]);
          }
          return true;
        },
    .run =
        [](const Case& c, const Implementation& chain, Tensors* t, int) {
          ByStorage(c.recipe, [&]<typename Storage>() {
            chain.As<decltype(RopeQkNorm<Storage>)>(c.recipe)(
                t->at("x").As<const Storage, 'T', 'H', 'D'>(),
                t->at("table").As<const float, 'T', 'J', '2'>(), c.constant("eps"),
                t->at("y").As<Storage, 'T', 'H', 'D'>());
          });
        },
    .rows = 'T',
    .recorded = {{"x", "layer.02/attention/q"}, {"table", "rope_table"}},
    .steps = {{.op = "rope",
               .tensors = {{"x", "x"}, {"table", "table"}, {"y", "rotated"}},
               .places = {{"y", exact::RoundingPlace::kRopeOutput}}},
              {.op = "qk_norm", .tensors = {{"x", "rotated"}, {"y", "y"}}}},
};
