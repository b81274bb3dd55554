#include "reference/ops/chains.h"

#include "lab/input_class.h"
#include "lab/spec.h"

TOUCHSTONE_OP_SPEC(nope_attention_block) = {
    .title = "Attention block of a layer without RoPE",
    .formula = "y = RN(Attention(RN(RN(x wq^T) * temperature), keys, values, global) wo^T)",
    .arguments = {{"x", Role::kIn, "TC"},
                  {"wq", Role::kIn, "QC"},
                  {"wk", Role::kIn, "WC"},
                  {"wv", Role::kIn, "WC"},
                  {"wo", Role::kIn, "CQ"},
                  {"positions", Role::kIn, "T", Stored::kI64},
                  {"keys", Role::kInOut, "SGD"},
                  {"values", Role::kInOut, "SGD"},
                  {"y", Role::kOut, "TC"}},
    .sizes = {{'T', 3}, {'C', 12}, {'H', 4}, {'G', 2}, {'D', 8}, {'S', 10}},
    .attributes = {{"first", 6}, {"floor_scale", 4}, {"attn_scale", 0.1}},
    .rules = {"N1", "N3", "N5", "N7", "N9", "N12"},
    .cases = Rows({{{"wide", {}},
                    {"subnormals", {}},
                    {"zeros", {}},
                    {"integers", {}},
                    {"normal", {}},
                    {"outliers", {}},
                    {"ties", {}},
                    {"normal", {{'T', 1}}, {{"first", 9}}},
                    {"normal", {{'T', 4}, {'S', 4}}, {{"first", 0}}},
                    {"normal", {{'H', 3}, {'G', 1}}}},
                   Hashed({{"specials",
                            {{'T', 3}, {'C', 2}, {'H', 2}, {'G', 1}, {'D', 2}, {'S', 10}}},
                           {"normal",
                            {{'T', 35}, {'C', 37}, {'H', 10}, {'G', 5}, {'D', 6}, {'S', 40}},
                            {{"first", 5}}},
                           {"nans", {{'T', 4}, {'C', 4}, {'H', 2}, {'G', 1}, {'D', 2}}},
                           {"faint_query",
                            {{'T', 2}, {'C', 5120}, {'H', 1}, {'G', 1}, {'D', 128}, {'S', 4}},
                            {{"first", 2}}},
                           {"normal",
                            {{'T', 2}, {'C', 8}, {'H', 40}, {'G', 8}, {'D', 128}, {'S', 4}},
                            {{"first", 2}}},
                           {"normal",
                            {{'T', 35}, {'C', 64}, {'H', 5}, {'G', 1}, {'D', 128}, {'S', 40}},
                            {{"first", 5}}},
                           {"faint_query",
                            {{'T', 2}, {'C', 5120}, {'H', 40}, {'G', 8}, {'D', 128}, {'S', 4}},
                            {{"first", 2}}},
                           {"real",
                            {{'T', 3}, {'C', 160}, {'H', 5}, {'G', 1}, {'D', 32}, {'S', 144}},
                            {{"first", 141}, {"floor_scale", 128}}}}),
                   Hashed({{"normal",
                            {{'T', 4}, {'C', 5120}, {'H', 5}, {'G', 1}, {'D', 128}, {'S', 8200}},
                            {{"first", 8190}, {"floor_scale", 8192}}}},
                          Suite::kFull)}),
    // [doc: example]
    .examples = {{
        .what = "D = 1, one cached key. The query is 200 at position 1, where the temperature is "
                "still 1; the scores are 200 for the cached key and -200 for the token's own, "
                "whose weight exp(-400) is 0 in binary32. Attention gives the cached value 3, and "
                "the output is 6. A query that reads its own key alone gives 10",
        .recipe = Dtype::kBf16,
        .sizes = {{'T', 1}, {'C', 1}, {'H', 1}, {'G', 1}, {'D', 1}, {'S', 2}},
        .attributes = {{"first", 1}},
        .in = {{"x", {1}},
               {"wq", {200}},
               {"wk", {-1}},
               {"wv", {5}},
               {"wo", {2}},
               {"positions", {1}},
               {"keys", {1, 0}},
               {"values", {3, 0}}},
        .out = {{"keys", {1, -1}}, {"values", {3, 5}}, {"y", {6}}},
    }},
    // [doc: end example]
    .reason =
        "x is the normed input. With floor_scale 4 the positions 6, 7 and 8 have temperatures of "
        "one and two steps, the edge at position + 1 = 8; nothing is rotated, nothing normed, and "
        "every earlier key is read. T = 1 is a step of decoding, T = S a prefill from an empty "
        "cache. Over 5120 channels the projections of class faint_query are exact and its scores "
        "small, so that the bound stays narrow; with 40 query heads over 8 of keys, each of 128, "
        "those are all published widths",
    .derive =
        [](Sizes* sizes) {
          sizes->insert_or_assign('Q', sizes->at('H') * sizes->at('D'));
          sizes->insert_or_assign('W', sizes->at('G') * sizes->at('D'));
        },
    .fill =
        [](const Case& c, const Argument& argument, uint32_t tensor, Tensor* out) {
          if (c.input_class == "faint_query" && argument.name != "positions") {
            // class integers, in wq times 2^-16
            FillByClass("integers", c.seed, tensor, argument.exponent, out);
            for (int64_t i = 0; argument.name == "wq" && i < out->count(); ++i) {
              out->SetReal(i, static_cast<float>(out->Real(i)) * 0x1p-16f);
            }
            return true;
          }
          if (argument.name != "positions") return false;
          const int64_t first = static_cast<int64_t>(c.attribute("first"));
          for (int64_t t = 0; t < out->count(); ++t) out->values<int64_t>()[t] = first + t;
          return true;
        },
    .run =
        [](const Case& c, const Implementation& chain, Tensors* t, int) {
          ByStorage(c.recipe, [&]<typename Storage>() {
            chain.As<decltype(NopeAttentionBlock<Storage>)>(c.recipe)(
                t->at("x").As<const Storage, 'T', 'C'>(), t->at("wq").As<const Storage, 'Q', 'C'>(),
                t->at("wk").As<const Storage, 'W', 'C'>(),
                t->at("wv").As<const Storage, 'W', 'C'>(),
                t->at("wo").As<const Storage, 'C', 'Q'>(),
                t->at("positions").As<const int64_t, 'T'>(),
                static_cast<int64_t>(c.attribute("first")), c.constant("floor_scale"),
                c.constant("attn_scale"), t->at("keys").As<Storage, 'S', 'G', 'D'>(),
                t->at("values").As<Storage, 'S', 'G', 'D'>(), t->at("y").As<Storage, 'T', 'C'>());
          });
        },
    .recorded = {{"x", "layer.03/attention_norm"},
                 {"wq", "weights/layer.03/q"},
                 {"wk", "weights/layer.03/k"},
                 {"wv", "weights/layer.03/v"},
                 {"wo", "weights/layer.03/o"},
                 {"keys", "layer.03/attention/k"},
                 {"values", "layer.03/attention/v"}},
    .steps = {{.op = "linear",
               .tensors = {{"x", "x"}, {"weight", "wq"}, {"y", "q"}},
               .letters = {{'F', 'Q'}},
               .places = {{"y", exact::RoundingPlace::kQuery}}},
              {.op = "linear",
               .tensors = {{"x", "x"}, {"weight", "wk"}, {"y", "k"}},
               .letters = {{'F', 'W'}},
               .places = {{"y", exact::RoundingPlace::kKey}}},
              {.op = "linear",
               .tensors = {{"x", "x"}, {"weight", "wv"}, {"y", "v"}},
               .letters = {{'F', 'W'}},
               .places = {{"y", exact::RoundingPlace::kValue}}},
              {.op = "temperature",
               .tensors = {{"q", "q"}, {"positions", "positions"}, {"y", "q_scaled"}},
               .places = {{"y", exact::RoundingPlace::kQuery}}},
              {.op = "kv_append",
               .tensors = {{"k", "k"}, {"v", "v"}, {"keys", "keys"}, {"values", "values"}}},
              {.op = "attention",
               .tensors = {{"q", "q_scaled"},
                           {"keys", "keys"},
                           {"values", "values"},
                           {"positions", "positions"},
                           {"y", "attended"}},
               .attributes = {{"chunk", 0}},
               .places = {{"y", exact::RoundingPlace::kAttention}}},
              {.op = "linear",
               .tensors = {{"x", "attended"}, {"weight", "wo"}, {"y", "y"}},
               .letters = {{'C', 'Q'}, {'F', 'C'}}}},
};
