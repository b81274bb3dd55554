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
    .cases = {{"wide", {}},
              {"subnormals", {}},
              {"zeros", {}},
              {"integers", {}},
              {"normal", {}},
              {"outliers", {}},
              {"ties", {}},
              {"normal", {{'T', 0}}},
              {"normal", {{'T', 1}, {'C', 1}, {'F', 1}}},
              {"normal", {{'T', 2}, {'C', 5}, {'F', 515}}}},
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
    .rows = 'T',
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
