#include "reference/ops/kv_append/kv_append.h"

#include "lab/input_class.h"
#include "lab/spec.h"

TOUCHSTONE_OP_SPEC(kv_append) = {
    .title = "KV append",
    .formula = "keys[first + t,g,d] = k[t,g,d], values[first + t,g,d] = v[t,g,d]",
    .arguments = {{"k", Role::kIn, "TGD"},
                  {"v", Role::kIn, "TGD"},
                  {"keys", Role::kInOut, "SGD"},
                  {"values", Role::kInOut, "SGD"}},
    .sizes = {{'T', 3}, {'S', 8}, {'G', 2}, {'D', 10}},
    .attributes = {{"first", 4}},
    .rules = {"N2", "N7", "N9"},
    .cases =
        Rows({GeneralClasses({}),
              {{"normal", {{'T', 0}}},
               {"normal", {{'T', 0}}, {{"first", 8}}},
               {"normal", {}, {{"first", 0}}},
               {"normal", {}, {{"first", 5}}},
               {"normal", {{'T', 8}}, {{"first", 0}}},
               {"normal", {{'T', 1}}, {{"first", 7}}},
               {"normal", {{'T', 1}, {'S', 1}, {'G', 1}, {'D', 1}}, {{"first", 0}}},
               {"normal", {{'T', 5}, {'S', 67}, {'G', 3}, {'D', 7}}, {{"first", 61}}}},
              Hashed({{"normal", {{'T', 1}, {'S', 4}, {'G', 8}, {'D', 128}}, {{"first", 2}}},
                      {"normal", {{'T', 35}, {'S', 40}, {'G', 5}, {'D', 37}}},
                      {"normal", {{'T', 4}, {'S', 10}, {'G', 8}, {'D', 128}}, {{"first", 6}}},
                      {"normal", {{'T', 2}, {'S', 1030}, {'G', 1}, {'D', 2}}, {{"first", 511}}},
                      {"normal", {{'T', 35}, {'S', 40}, {'G', 8}, {'D', 128}}},
                      {"real", {{'T', 4}, {'S', 144}, {'G', 1}, {'D', 32}}, {{"first", 140}}}})}),
    // [doc: example]
    .examples = {{
        .what = "one token at position 1 of a cache of three: row 1 is written, rows 0 and 2 keep "
                "what they held. A kernel that appends at the end of the cache writes row 2, one "
                "that clears what lies behind the new token gives 0 there",
        .recipe = Dtype::kBf16,
        .sizes = {{'T', 1}, {'S', 3}, {'G', 1}, {'D', 2}},
        .attributes = {{"first", 1}},
        .in = {{"k", {1, -0.0}},
               {"v", {2, 3}},
               {"keys", {10, 11, 12, 13, 14, 15}},
               {"values", {20, 21, 22, 23, 24, 25}}},
        .out = {{"keys", {10, 11, 1, -0.0, 14, 15}}, {"values", {20, 21, 2, 3, 24, 25}}},
    }},
    // [doc: end example]
    .reason =
        "the cache is full of values before the call, so that a row written beside the new ones is "
        "seen. The tokens come to the start, the middle and the very end, fill the whole cache, "
        "are one (a step of decoding) or none; G and D differ, so that a transposed row is seen. 8 "
        "heads of 128 are the published width",
    .run =
        [](const Case& c, const Implementation& op, Tensors* t, int) {
          ByStorage(c.recipe, [&]<typename Storage>() {
            op.As<decltype(KvAppend<Storage>)>(c.recipe)(
                t->at("k").As<const Storage, 'T', 'G', 'D'>(),
                t->at("v").As<const Storage, 'T', 'G', 'D'>(),
                static_cast<int64_t>(c.attribute("first")),
                t->at("keys").As<Storage, 'S', 'G', 'D'>(),
                t->at("values").As<Storage, 'S', 'G', 'D'>());
          });
        },
    .recorded = {{"k", "layer.02/attention/k_norm"},
                 {"v", "layer.02/attention/v"},
                 {"keys", "layer.02/attention/k_norm"},
                 {"values", "layer.02/attention/v"}},
};
