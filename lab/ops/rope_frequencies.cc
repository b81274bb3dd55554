#include "reference/ops/rope_frequencies/rope_frequencies.h"

#include "lab/input_class.h"
#include "lab/spec.h"

TOUCHSTONE_OP_SPEC(rope_frequencies) = {
    .title = "RoPE frequencies",
    .formula = "f[j] = 1 / theta^(2j/D), with llama3 scaling by the wavelength 2 pi / f",
    .arguments = {{"f", Role::kOut, "J", Stored::kF32}},
    .sizes = {{'D', 128}},
    .attributes = {{"rope_theta", 500000},
                   {"llama3", 0},
                   {"factor", 16},
                   {"low_freq_factor", 1},
                   {"high_freq_factor", 1},
                   {"original_max_position_embeddings", 8192}},
    .recipes = {Dtype::kF32},
    .rules = {"N1", "N5", "N12"},
    .cases = Rows(
        {{{"plain", {}},
          {"plain", {{'D', 2}}},
          {"plain", {{'D', 16}}},
          {"plain", {{'D', 80}}},
          {"plain", {{'D', 96}}},
          {"plain", {}, {{"rope_theta", 10000}}},
          {"plain", {{'D', 88}}, {{"rope_theta", 10000}}},
          {"plain", {{'D', 64}}, {{"rope_theta", 1.5}}},
          {"scaled", {}, {{"llama3", 1}}},
          {"scaled", {}, {{"llama3", 1}, {"factor", 8}, {"high_freq_factor", 4}}},
          {"scaled", {{'D', 80}}, {{"llama3", 1}, {"factor", 3}, {"high_freq_factor", 4}}},
          {"scaled", {{'D', 256}}, {{"llama3", 1}, {"factor", 8}, {"high_freq_factor", 64}}},
          {"scaled", {{'D', 16}}, {{"llama3", 1}, {"rope_theta", 10000}}},
          {"scaled",
           {{'D', 64}},
           {{"llama3", 1}, {"rope_theta", 10000}, {"factor", 8}, {"high_freq_factor", 4}}},
          {"edge", {{'D', 2}}, {{"llama3", 1}, {"original_max_position_embeddings", 6.2831855}}},
          {"edge",
           {{'D', 2}},
           {{"llama3", 1},
            {"high_freq_factor", 4},
            {"original_max_position_embeddings", 6.2831855}}},
          {"edge",
           {{'D', 2}},
           {{"llama3", 1},
            {"high_freq_factor", 4},
            {"original_max_position_embeddings", 25.132742}}}},
         Hashed({{"real", {{'D', 32}}, {{"llama3", 1}}}})}),
    // [doc: example]
    .examples = {{
        .what = "theta^(1/2) = 512, and f = 2^-9 has the wavelength 512 RN32(2 pi) = 3216.99, in "
                "the band between 8192/4 and 8192/1: s = (8192/3216.99 - 1)/3 = 0.515493, and f = "
                "((1 - s)/8 + s) 2^-9 = 0.57605636 * 2^-9. A kernel that mixes the other way round "
                "has 0.54894 * 2^-9; with high = 1, Scout's corrected constant, there is no band "
                "and f stays 2^-9",
        .recipe = Dtype::kF32,
        .sizes = {{'D', 4}},
        .attributes = {{"rope_theta", 262144},
                       {"llama3", 1},
                       {"factor", 8},
                       {"low_freq_factor", 1},
                       {"high_freq_factor", 4},
                       {"original_max_position_embeddings", 8192}},
        .in = {},
        .out = {{"f", {1, 0x1.26f0dcp-10}}},
    }},
    // [doc: end example]
    .reason =
        "the op has no tensors to read. Heads of 16 to 256 at theta 500000 and 10000; for 80, 88 "
        "and 96 the exponent 2j/D is rounded. Scaled: Scout's hard switch (16, 1, 1), the smooth "
        "band of its first publication (8, 1, 4), a band of many pairs (high 64), a factor that is "
        "no power of two. Class edge puts the wavelength RN32(2 pi) of f = 1 exactly on an edge: "
        "with low = high it keeps f, where a kernel may find 0/0; then on either end of a band",
    .derive = [](Sizes* sizes) { sizes->insert_or_assign('J', sizes->at('D') / 2); },
    .run =
        [](const Case& c, const Implementation& op, Tensors* t, int) {
          const RopeScaling scaling{c.attribute("llama3") != 0.0, c.constant("factor"),
                                    c.constant("low_freq_factor"), c.constant("high_freq_factor"),
                                    c.constant("original_max_position_embeddings")};
          op.As<decltype(RopeFrequencies)>(c.recipe)(c.constant("rope_theta"), scaling,
                                                     t->at("f").As<float, 'J'>());
        },
};
