#include "reference/ops/chains.h"

#include "lab/input_class.h"
#include "lab/spec.h"

TOUCHSTONE_OP_SPEC(feed_forward) = {
    .title = "Feed-forward",
    .formula = "y = RN(SwiGLU(RN(x gate^T), RN(x up^T)) down^T)",
    .arguments = {{"x", Role::kIn, "TC"},
                  {"gate", Role::kIn, "FC"},
                  {"up", Role::kIn, "FC"},
                  {"down", Role::kIn, "CF"},
                  {"y", Role::kOut, "TC"}},
    .sizes = {{'T', 3}, {'C', 24}, {'F', 20}},
    .rules = {"N1", "N3", "N5", "N9"},
    .cases = Rows({{{"wide", {}},
                    {"subnormals", {}},
                    {"zeros", {}},
                    {"integers", {}},
                    {"normal", {}},
                    {"outliers", {}},
                    {"ties", {}},
                    {"normal", {{'T', 0}}},
                    {"normal", {{'T', 1}, {'C', 1}, {'F', 1}}}},
                   Hashed({{"normal", {{'T', 2}, {'C', 5}, {'F', 515}}},
                           {"specials", {{'T', 24}, {'C', 2}, {'F', 3}}},
                           {"tiny_weight", {{'T', 3}, {'C', 24}, {'F', 20}}},
                           {"nans", {{'T', 9}, {'C', 5}, {'F', 4}}},
                           {"normal", {{'T', 35}, {'C', 33}, {'F', 37}}},
                           {"normal", {{'T', 2}, {'C', 5120}, {'F', 16}}},
                           {"normal", {{'T', 2}, {'C', 8}, {'F', 8192}}},
                           {"normal", {{'T', 1}, {'C', 4}, {'F', 16384}}},
                           {"normal", {{'T', 35}, {'C', 64}, {'F', 64}}},
                           {"nans", {{'T', 9}, {'C', 64}, {'F', 64}}},
                           {"real", {{'T', 4}, {'C', 160}, {'F', 96}}}}),
                   Hashed({{"normal", {{'T', 4}, {'C', 5120}, {'F', 2048}}}}, Suite::kFull)}),
    // [doc: example]
    .examples = {{
        .what = "gate 100, up 3: silu(100) = 100, so the activation is 300 and the output 150. A "
                "kernel that exchanges gate and up computes 100 silu(3) = 285.8 and ends at 143",
        .recipe = Dtype::kBf16,
        .sizes = {{'T', 1}, {'C', 1}, {'F', 1}},
        .in = {{"x", {1}}, {"gate", {100}}, {"up", {3}}, {"down", {0.5}}},
        .out = {{"y", {150}}},
    }},
    // [doc: end example]
    .reason =
        "the dense layers and the shared expert: three contractions with three rounding places "
        "between them, any of which a fused kernel may skip. 515 activations pass one slice of the "
        "second contraction",
    .run =
        [](const Case& c, const Implementation& chain, Tensors* t, int) {
          ByStorage(c.recipe, [&]<typename Storage>() {
            chain.As<decltype(FeedForward<Storage>)>(c.recipe)(
                t->at("x").As<const Storage, 'T', 'C'>(),
                t->at("gate").As<const Storage, 'F', 'C'>(),
                t->at("up").As<const Storage, 'F', 'C'>(),
                t->at("down").As<const Storage, 'C', 'F'>(), t->at("y").As<Storage, 'T', 'C'>());
          });
        },
    .rows = 'T',
    .recorded = {{"x", "layer.02/feed_forward_norm"},
                 {"gate", "weights/layer.02/gate"},
                 {"up", "weights/layer.02/up"},
                 {"down", "weights/layer.02/down"}},
    .steps = {{.op = "linear",
               .tensors = {{"x", "x"}, {"weight", "gate"}, {"y", "gated"}},
               .places = {{"y", exact::RoundingPlace::kGate}}},
              {.op = "linear",
               .tensors = {{"x", "x"}, {"weight", "up"}, {"y", "lifted"}},
               .places = {{"y", exact::RoundingPlace::kUp}}},
              {.op = "swiglu",
               .tensors = {{"gate", "gated"}, {"up", "lifted"}, {"y", "activation"}},
               .places = {{"y", exact::RoundingPlace::kActivation}}},
              {.op = "linear",
               .tensors = {{"x", "activation"}, {"weight", "down"}, {"y", "y"}},
               .letters = {{'C', 'F'}, {'F', 'C'}}}},
};
