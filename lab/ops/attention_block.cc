#include "reference/ops/chains.h"

#include "lab/input_class.h"
#include "lab/spec.h"
#include "reference/formats/philox.h"

TOUCHSTONE_OP_SPEC(attention_block) = {
    .title = "Attention block of a layer with RoPE",
    .formula = "y = RN(Attention(QkNorm(RoPE(x wq^T)), keys, values, chunked) wo^T)",
    .arguments = {{"x", Role::kIn, "TC"},
                  {"wq", Role::kIn, "QC"},
                  {"wk", Role::kIn, "WC"},
                  {"wv", Role::kIn, "WC"},
                  {"wo", Role::kIn, "CQ"},
                  {"table", Role::kIn, "TJ2", Stored::kF32},
                  {"positions", Role::kIn, "T", Stored::kI64},
                  {"keys", Role::kInOut, "SGD"},
                  {"values", Role::kInOut, "SGD"},
                  {"y", Role::kOut, "TC"}},
    .sizes = {{'T', 3}, {'C', 12}, {'H', 4}, {'G', 2}, {'D', 8}, {'S', 10}},
    .attributes = {{"first", 6}, {"eps", 1e-5}, {"chunk", 4}},
    .rules = {"N1", "N3", "N4", "N5", "N7", "N9", "N12"},
    .cases = Rows({{{"wide", {}},
                    {"subnormals", {}},
                    {"zeros", {}},
                    {"integers", {}},
                    {"normal", {}},
                    {"outliers", {}},
                    {"ties", {}},
                    {"normal", {{'T', 1}}, {{"first", 9}}},
                    {"normal", {{'T', 4}, {'S', 4}}, {{"first", 0}, {"chunk", 3}}},
                    {"normal", {{'H', 3}, {'G', 1}}}},
                   Hashed({{"specials",
                            {{'T', 3}, {'C', 2}, {'H', 2}, {'G', 1}, {'D', 2}, {'S', 10}}},
                           {"normal",
                            {{'T', 35}, {'C', 37}, {'H', 10}, {'G', 5}, {'D', 6}, {'S', 40}},
                            {{"first", 5}, {"chunk", 16}}},
                           {"nans", {{'T', 4}, {'C', 4}, {'H', 2}, {'G', 1}, {'D', 2}}},
                           {"integers",
                            {{'T', 2}, {'C', 5120}, {'H', 1}, {'G', 1}, {'D', 128}, {'S', 4}},
                            {{"first", 2}}},
                           {"normal",
                            {{'T', 2}, {'C', 8}, {'H', 40}, {'G', 8}, {'D', 128}, {'S', 4}},
                            {{"first", 2}}},
                           {"normal",
                            {{'T', 35}, {'C', 64}, {'H', 5}, {'G', 1}, {'D', 128}, {'S', 40}},
                            {{"first", 5}, {"chunk", 16}}},
                           {"integers",
                            {{'T', 2}, {'C', 5120}, {'H', 40}, {'G', 8}, {'D', 128}, {'S', 4}},
                            {{"first", 2}}},
                           {"real",
                            {{'T', 3}, {'C', 160}, {'H', 5}, {'G', 1}, {'D', 32}, {'S', 144}},
                            {{"first", 141}, {"chunk", 128}}}}),
                   Hashed({{"normal",
                            {{'T', 4}, {'C', 5120}, {'H', 5}, {'G', 1}, {'D', 128}, {'S', 8200}},
                            {{"first", 8190}, {"chunk", 8192}}}},
                          Suite::kFull)}),
    // [doc: example]
    .examples = {{
        .what =
            "one token and an empty cache. The key 2 (1, 7) = (2, 14) turns by a quarter to (-14, "
            "2), whose mean square is 100, and becomes RN(-1.4) = -179/128, RN(0.2) = 205/1024: "
            "that is what the cache holds, after RoPE and the norm. The one weight is 1, so "
            "attention gives the value 2 (3, 5) = (6, 10), and the output is 6 + 2 * 10 = 26",
        .recipe = Dtype::kBf16,
        .sizes = {{'T', 1}, {'C', 1}, {'H', 1}, {'G', 1}, {'D', 2}, {'S', 1}},
        .attributes = {{"first", 0}, {"eps", 0.0}},
        .in = {{"x", {2}},
               {"wq", {1, 1}},
               {"wk", {1, 7}},
               {"wv", {3, 5}},
               {"wo", {1, 2}},
               {"table", {0, 1}},
               {"positions", {0}},
               {"keys", {0, 0}},
               {"values", {0, 0}}},
        .out = {{"keys", {-0x1.66p+0, 0x1.9ap-3}}, {"values", {6, 10}}, {"y", {26}}},
    }},
    // [doc: end example]
    .reason =
        "x is the normed input. Positions 6, 7 and 8 over chunks of 4 have an edge between them: 6 "
        "and 7 read cached keys, 8 reads itself alone, and row 9 of the cache is never read. T = 1 "
        "is a step of decoding, T = S a prefill from an empty cache; H = G times 2 and times 3 "
        "share keys differently. The cache holds what every later step will read, so keys and "
        "values are outputs too, rounded to storage whatever a kernel skips on the way. One case "
        "has all published widths: 5120 channels, 40 query heads over 8 of keys, each of 128",
    .derive =
        [](Sizes* sizes) {
          sizes->insert_or_assign('Q', sizes->at('H') * sizes->at('D'));
          sizes->insert_or_assign('W', sizes->at('G') * sizes->at('D'));
          sizes->insert_or_assign('J', sizes->at('D') / 2);
        },
    .fill =
        [](const Case& c, const Argument& argument, uint32_t tensor, Tensor* out) {
          if (argument.name == "positions") {
            const int64_t first = static_cast<int64_t>(c.attribute("first"));
            for (int64_t t = 0; t < out->count(); ++t) out->values<int64_t>()[t] = first + t;
            return true;
          }
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
            chain.As<decltype(AttentionBlock<Storage>)>(c.recipe)(
                t->at("x").As<const Storage, 'T', 'C'>(), t->at("wq").As<const Storage, 'Q', 'C'>(),
                t->at("wk").As<const Storage, 'W', 'C'>(),
                t->at("wv").As<const Storage, 'W', 'C'>(),
                t->at("wo").As<const Storage, 'C', 'Q'>(),
                t->at("table").As<const float, 'T', 'J', '2'>(),
                t->at("positions").As<const int64_t, 'T'>(),
                static_cast<int64_t>(c.attribute("first")), c.constant("eps"),
                static_cast<int64_t>(c.attribute("chunk")),
                t->at("keys").As<Storage, 'S', 'G', 'D'>(),
                t->at("values").As<Storage, 'S', 'G', 'D'>(), t->at("y").As<Storage, 'T', 'C'>());
          });
        },
    .recorded = {{"x", "layer.02/attention_norm"},
                 {"wq", "weights/layer.02/q"},
                 {"wk", "weights/layer.02/k"},
                 {"wv", "weights/layer.02/v"},
                 {"wo", "weights/layer.02/o"},
                 {"keys", "layer.02/attention/k_norm"},
                 {"values", "layer.02/attention/v"},
                 {"table", "rope_table"}},
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
              {.op = "rope",
               .tensors = {{"x", "q"}, {"table", "table"}, {"y", "q_rotated"}},
               .places = {{"y", exact::RoundingPlace::kRopeOutput}}},
              {.op = "rope",
               .tensors = {{"x", "k"}, {"table", "table"}, {"y", "k_rotated"}},
               .letters = {{'H', 'G'}},
               .places = {{"y", exact::RoundingPlace::kRopeOutput}}},
              {.op = "qk_norm",
               .tensors = {{"x", "q_rotated"}, {"y", "q_normed"}},
               .places = {{"y", exact::RoundingPlace::kQuery}}},
              {.op = "qk_norm",
               .tensors = {{"x", "k_rotated"}, {"y", "k_normed"}},
               .letters = {{'H', 'G'}},
               .places = {{"y", exact::RoundingPlace::kKey}}},
              {.op = "kv_append",
               .tensors = {{"k", "k_normed"}, {"v", "v"}, {"keys", "keys"}, {"values", "values"}}},
              {.op = "attention",
               .tensors = {{"q", "q_normed"},
                           {"keys", "keys"},
                           {"values", "values"},
                           {"positions", "positions"},
                           {"y", "attended"}},
               .places = {{"y", exact::RoundingPlace::kAttention}}},
              {.op = "linear",
               .tensors = {{"x", "attended"}, {"weight", "wo"}, {"y", "y"}},
               .letters = {{'C', 'Q'}, {'F', 'C'}}}},
};
