#include "reference/ops/chains.h"

#include "lab/input_class.h"
#include "lab/spec.h"

TOUCHSTONE_OP_SPEC(gate_up_swiglu) = {
    .title = "Gate and up projections, then SwiGLU",
    .formula = "y = SwiGLU(RN(x gate^T), RN(x up^T))",
    .arguments = {{"x", Role::kIn, "TC"},
                  {"gate", Role::kIn, "FC"},
                  {"up", Role::kIn, "FC"},
                  {"y", Role::kOut, "TF"}},
    .sizes = {{'T', 3}, {'C', 48}, {'F', 11}},
    .rules = {"N1", "N3", "N5", "N9"},
    .cases = Rows({{{"wide", {}},
                    {"subnormals", {}},
                    {"specials", {}},
                    {"zeros", {}},
                    {"integers", {}},
                    {"normal", {}},
                    {"outliers", {}},
                    {"ties", {}},
                    {"normal", {{'T', 0}}},
                    {"normal", {{'T', 1}, {'C', 1}, {'F', 67}}}},
                   Hashed({{"normal", {{'T', 2}, {'C', 1030}, {'F', 3}}},
                           {"specials", {{'T', 12}, {'C', 3}, {'F', 5}}},
                           {"tiny_weight", {{'T', 3}, {'C', 48}, {'F', 11}}},
                           {"normal", {{'T', 35}, {'C', 33}, {'F', 37}}},
                           {"normal", {{'T', 2}, {'C', 5120}, {'F', 32}}},
                           {"normal", {{'T', 2}, {'C', 8}, {'F', 8192}}},
                           {"normal", {{'T', 35}, {'C', 64}, {'F', 64}}},
                           {"nans", {{'T', 9}, {'C', 64}, {'F', 64}}},
                           {"zeros_first", {{'T', 12}, {'C', 64}, {'F', 64}}},
                           {"real", {{'T', 4}, {'C', 160}, {'F', 96}}}}),
                   Hashed({{"normal", {{'T', 4}, {'C', 5120}, {'F', 2048}}}}, Suite::kFull)}),
    // [doc: example]
    .examples = {{
        .what = "gate 1 and up 9/8, as in op swiglu's example: 210/256. A kernel that exchanges "
                "the two projections computes silu(9/8) = 217.4/256 and ends at 217/256",
        .recipe = Dtype::kBf16,
        .sizes = {{'T', 1}, {'C', 1}, {'F', 1}},
        .in = {{"x", {1}}, {"gate", {1}}, {"up", {1.125}}},
        .out = {{"y", {0x1.a4p-1}}},
    }},
    // [doc: end example]
    .reason =
        "the usual fusion of the first half of a feed-forward: two contractions over the same x "
        "and a pointwise end. 1030 channels pass the slices of 512 twice; 67 outputs lie off the "
        "usual tile widths; class integers leaves only the exponential inexact",
    .run =
        [](const Case& c, const Implementation& chain, Tensors* t, int) {
          ByStorage(c.recipe, [&]<typename Storage>() {
            chain.As<decltype(GateUpSwiglu<Storage>)>(c.recipe)(
                t->at("x").As<const Storage, 'T', 'C'>(),
                t->at("gate").As<const Storage, 'F', 'C'>(),
                t->at("up").As<const Storage, 'F', 'C'>(), t->at("y").As<Storage, 'T', 'F'>());
          });
        },
    .rows = 'T',
    .recorded = {{"x", "layer.02/feed_forward_norm"},
                 {"gate", "weights/layer.02/gate"},
                 {"up", "weights/layer.02/up"}},
    .steps = {{.op = "linear",
               .tensors = {{"x", "x"}, {"weight", "gate"}, {"y", "gated"}},
               .places = {{"y", exact::RoundingPlace::kGate}}},
              {.op = "linear",
               .tensors = {{"x", "x"}, {"weight", "up"}, {"y", "lifted"}},
               .places = {{"y", exact::RoundingPlace::kUp}}},
              {.op = "swiglu", .tensors = {{"gate", "gated"}, {"up", "lifted"}, {"y", "y"}}}},
};
