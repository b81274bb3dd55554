#include "reference/ops/attention/attention.h"

#include <algorithm>
#include <cmath>

#include "lab/input_class.h"
#include "lab/spec.h"
#include "reference/formats/philox.h"

TOUCHSTONE_OP_SPEC(attention) = {
    .title = "Attention",
    .formula = "y = RN(sum over visible j of softmax(q.k / sqrt(D))[j] * v[j])",
    .arguments = {{"q", Role::kIn, "THD"},
                  {"keys", Role::kIn, "SGD"},
                  {"values", Role::kIn, "SGD"},
                  {"positions", Role::kIn, "T", Stored::kI64},
                  {"y", Role::kOut, "THD"}},
    .sizes = {{'T', 4}, {'S', 7}, {'H', 4}, {'G', 2}, {'D', 8}},
    .attributes = {{"chunk", 0}},
    .rules = {"N1", "N3", "N5", "N6", "N7", "N9", "N12"},
    .cases = Rows(
        {GeneralClasses({}),
         {{"normal", {{'T', 0}}},
          {"normal", {{'S', 0}}},
          {"normal", {{'T', 1}, {'S', 1}, {'H', 1}, {'G', 1}, {'D', 1}}},
          {"normal", {{'T', 3}, {'S', 33}, {'H', 5}, {'G', 1}, {'D', 3}}},
          {"normal", {{'T', 2}, {'S', 65}, {'H', 3}, {'G', 3}, {'D', 16}}},
          {"normal", {{'T', 1}, {'S', 5}, {'H', 1}, {'G', 1}, {'D', 520}}},
          {"normal", {{'T', 9}, {'S', 11}}, {{"chunk", 4}}},
          {"specials", {{'T', 9}, {'S', 11}}, {{"chunk", 4}}},
          {"normal", {{'T', 6}, {'S', 34}, {'H', 2}, {'G', 1}}, {{"chunk", 16}}},
          {"witness", {{'S', 16}, {'D', 16}}},
          {"witness", {{'T', 9}, {'S', 16}, {'D', 16}}, {{"chunk", 4}}},
          {"witness", {{'T', 6}, {'S', 34}, {'H', 2}, {'G', 1}, {'D', 34}}, {{"chunk", 16}}},
          {"uniform", {{'S', 16}}},
          {"uniform", {{'T', 9}, {'S', 11}}, {{"chunk", 4}}},
          {"peaky", {}},
          {"peaky", {{'S', 40}, {'D', 16}}},
          {"rising", {}},
          {"far", {}},
          {"far", {}, {{"chunk", 4}}},
          {"far", {}, {{"chunk", 8192}}}},
         Hashed(
             {{"normal", {{'T', 1}, {'S', 2}, {'H', 40}, {'G', 8}, {'D', 128}}},
              {"integers", {{'T', 6}, {'S', 1100}, {'H', 2}, {'G', 1}, {'D', 2}}},
              {"edges", {{'T', 6}, {'S', 1100}, {'H', 2}, {'G', 1}, {'D', 4}}},
              {"edges", {{'T', 3}, {'S', 8194}, {'H', 1}, {'G', 1}, {'D', 1}}, {{"chunk", 8192}}},
              {"rising", {{'T', 2}, {'S', 1030}, {'H', 1}, {'G', 1}, {'D', 2}}},
              {"specials", {{'T', 35}, {'S', 40}, {'H', 2}, {'G', 1}, {'D', 4}}},
              {"wrapped", {}, {{"chunk", 4}}},
              {"normal", {{'T', 35}, {'S', 40}, {'H', 2}, {'G', 1}, {'D', 4}}},
              {"normal", {{'T', 140}, {'S', 200}, {'H', 1}, {'G', 1}, {'D', 2}}, {{"chunk", 4}}},
              {"far", {{'T', 1}}, {{"chunk", 4}}},
              {"ties", {{'T', 4}, {'S', 513}, {'H', 2}, {'G', 1}, {'D', 4}}},
              {"normal", {{'T', 4}, {'S', 40}, {'H', 40}, {'G', 8}, {'D', 128}}},
              {"far", {{'S', 6}, {'H', 40}, {'G', 8}, {'D', 128}}, {{"chunk", 8192}}},
              {"normal", {{'T', 35}, {'S', 40}, {'H', 5}, {'G', 1}, {'D', 128}}},
              {"specials", {{'T', 35}, {'S', 40}, {'H', 5}, {'G', 1}, {'D', 128}}},
              {"outweighed", {{'T', 9}, {'S', 11}, {'H', 5}, {'G', 1}, {'D', 128}}},
              {"edges", {{'T', 6}, {'S', 1100}, {'H', 2}, {'G', 1}, {'D', 128}}},
              {"real", {{'T', 4}, {'S', 144}, {'H', 5}, {'G', 1}, {'D', 32}}, {{"chunk", 128}}}}),
         Hashed(
             {{"normal", {{'T', 4}, {'S', 8200}, {'H', 40}, {'G', 8}, {'D', 128}}},
              {"edges", {{'T', 3}, {'S', 8194}, {'H', 5}, {'G', 1}, {'D', 128}}, {{"chunk", 8192}}},
              {"edges",
               {{'T', 6}, {'S', 16390}, {'H', 5}, {'G', 1}, {'D', 128}},
               {{"chunk", 8192}}}},
             Suite::kFull)}),
    // [doc: example]
    .examples =
        {{
             .what =
                 "q is zero, so every visible key weighs the same. Position 3 sees the keys 0 to "
                 "3, whose mean is 2.5. Position 4 starts a new chunk and sees itself alone: 16. "
                 "Without chunks it is 5.2, with a window of the last 4 keys 6.25, and a causal "
                 "mask that leaves out the query's own position has nothing to see and gives 0",
             .recipe = Dtype::kBf16,
             .sizes = {{'T', 2}, {'S', 5}, {'H', 1}, {'G', 1}, {'D', 1}},
             .attributes = {{"chunk", 4}},
             .in = {{"q", {0, 0}},
                    {"keys", {1, 1, 1, 1, 1}},
                    {"values", {1, 2, 3, 4, 16}},
                    {"positions", {3, 4}}},
             .out = {{"y", {2.5, 16}}},
         },
         {
             .what =
                 "the scores are 257 / 2 and 256 / 2, so the weights are 1 / (1 + e^-0.5) = "
                 "0.62246 and 0.37754; values with a single 1 show them: 159/256 and 193/512 in "
                 "bf16. A kernel that rounds q.k to bf16 makes 257 to 256 and gives 1/2 twice",
             .recipe = Dtype::kBf16,
             .sizes = {{'T', 1}, {'S', 2}, {'H', 1}, {'G', 1}, {'D', 4}},
             .in = {{"q", {16, 1, 0, 0}},
                    {"keys", {16, 1, 0, 0, 16, 0, 0, 0}},
                    {"values", {1, 0, 0, 0, 0, 1, 0, 0}},
                    {"positions", {1}}},
             .out = {{"y", {0.62109375, 0.376953125, 0, 0}}},
         }},
    // [doc: end example]
    .reason =
        "class witness has one 1 in each value, so that each output is one weight and a mask, a "
        "chunk or a head that is wrong shows at first order; class uniform has q = 0, so that "
        "outputs are means of integers. Positions lie about the edges of chunks of 4, 16 and 8192 "
        "(the published length), and about the edges 512 and 1024 of the blocks; class far has a "
        "query past the last key, and at 10,485,759, where a chunk has no visible key. Class peaky "
        "has one or two keys that outweigh all others, in class rising scores grow with the "
        "position, so that every running maximum moves; in class outweighed each key leaves all "
        "before it a weight of 0, which times a NaN among the values is NaN. Values about an edge "
        "are large in class edges, so that one key of 8192 shows. H / G is 5 in the published "
        "models, with "
        "40 heads of 128; D = 520 passes a slice of q.k; 140 queries pass a tile of 128, one alone "
        "is decode in a chunked layer",
    .fill =
        [](const Case& c, const Argument& argument, uint32_t tensor, Tensor* out) {
          const std::string& own = c.input_class;
          const int64_t S = c.size('S'), G = c.size('G'), D = c.size('D');
          const int64_t chunk = static_cast<int64_t>(c.attribute("chunk"));
          if (argument.name == "positions") {
            // far              10485759, S - 1, S, S + 1, S + 2, ...
            // edges, chunked   K - 1, K, K + 1, 2K - 1, 2K, 2K + 1, ..., K the chunk or 512
            // wrapped          65536 + t: far behind all keys, but t in 16 bits
            // others           the last T of S, or 0, 1, ... where T > S
            const int64_t K = chunk > 0 ? chunk : 512;
            for (int64_t t = 0; t < c.size('T'); ++t) {
              int64_t position = std::max<int64_t>(S - c.size('T'), 0) + t;
              if (own == "edges" || chunk > 0) position = (t / 3 + 1) * K - 1 + t % 3;
              if (own == "far") position = t == 0 ? 10485759 : S - 2 + t;
              if (own == "wrapped") position = 65536 + t;
              out->values<int64_t>()[t] = position;
            }
            return true;
          }
          const bool is_q = argument.name == "q", is_value = argument.name == "values";
          const bool is_key = argument.name == "keys";
          if (own == "witness" && is_value) {
            // values[j,g,d] = 1 where d = (j + g) mod D, else 0
            for (int64_t i = 0; i < out->count(); ++i) {
              const int64_t j = i / (G * D), g = i / D % G;
              out->SetReal(i, i % D == (j + g) % D ? 1.0f : 0.0f);
            }
          } else if (own == "rising" && (is_q || is_key)) {
            // q is 1; keys[j,g,d] = j / 64, rounded once
            for (int64_t i = 0; i < out->count(); ++i) {
              const float key = static_cast<float>(i / (G * D)) / 64.0f;
              out->SetReal(i, is_q ? 1.0f : key);
            }
          } else if (own == "outweighed" && (is_q || is_key)) {
            // q is 16; keys[j,g,d] = j: every key outweighs all before it beyond the range of exp
            for (int64_t i = 0; i < out->count(); ++i) {
              out->SetReal(i, is_q ? 16.0f : static_cast<float>(i / (G * D)));
            }
          } else if (own == "outweighed" && is_value) {
            // no number where w mod 16 = 0
            FillByClass("nans", c.seed, tensor, argument.exponent, out);
          } else if (own == "edges" && is_value) {
            // The values about an edge are large, so that one key more or less of thousands shows.
            FillByClass("normal", c.seed, tensor, argument.exponent, out);
            const int64_t K = chunk > 0 ? chunk : 512;
            for (int64_t i = 0; i < out->count(); ++i) {
              if ((i / (G * D) + 1) % K > 2) continue;
              out->SetReal(i, std::ldexp(static_cast<float>(out->Real(i)), 12));
            }
          } else if (own == "uniform" && is_q) {
            for (int64_t i = 0; i < out->count(); ++i) out->SetReal(i, 0.0f);
          } else if (own == "uniform" && is_value) {
            FillByClass("integers", c.seed, tensor, argument.exponent, out);
          } else if (own == "peaky" && is_q) {
            FillByClass("normal", c.seed, tensor, 2, out);
          } else if (own == "witness" || own == "uniform" || own == "peaky" || own == "rising" ||
                     own == "edges" || own == "far" || own == "wrapped") {
            FillByClass("normal", c.seed, tensor, argument.exponent, out);
          } else {
            return false;
          }
          return true;
        },
    .run =
        [](const Case& c, const Implementation& op, Tensors* t, int threads) {
          ByStorage(c.recipe, [&]<typename Storage>() {
            op.As<decltype(Attention<Storage>)>(c.recipe)(
                t->at("q").As<const Storage, 'T', 'H', 'D'>(),
                t->at("keys").As<const Storage, 'S', 'G', 'D'>(),
                t->at("values").As<const Storage, 'S', 'G', 'D'>(),
                t->at("positions").As<const int64_t, 'T'>(),
                static_cast<int64_t>(c.attribute("chunk")), t->at("y").As<Storage, 'T', 'H', 'D'>(),
                threads);
          });
        },
    .rows = 'T',
    .recorded = {{"q", "layer.02/attention/q_norm"},
                 {"keys", "layer.02/attention/k_norm"},
                 {"values", "layer.02/attention/v"},
                 {"positions", "positions"}},
};
