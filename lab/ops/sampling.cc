#include "reference/ops/sampling/sampling.h"

#include <cmath>

#include "lab/input_class.h"
#include "lab/spec.h"
#include "reference/formats/philox.h"

TOUCHSTONE_OP_SPEC(sampling) = {
    .title = "Sampling",
    .formula =
        "n = floor(exp(logit / T - max) * 2^40); of the nucleus of top_p, the token whose prefix "
        "sum of n first exceeds u K",
    .arguments = {{"logits", Role::kIn, "BV", Stored::kF32, 4},
                  {"positions", Role::kIn, "B", Stored::kI64},
                  {"taken", Role::kOut, "B", Stored::kI64}},
    .sizes = {{'B', 16}, {'V', 40}},
    .attributes = {{"temperature", 0.6}, {"top_p", 0.9}, {"sampling_seed", 1}},
    .recipes = {Dtype::kF32},
    .rules = {"N5", "N6", "N10", "N11", "N12"},
    .cases = Rows({{{"integers", {}},
                    {"normal", {}},
                    {"wide", {}},
                    {"outliers", {}},
                    {"ties", {}},
                    {"subnormals", {}},
                    {"zeros", {}},
                    {"infinities", {}},
                    {"normal", {{'B', 0}}},
                    {"normal", {{'V', 1}}},
                    {"normal", {{'B', 65}, {'V', 7}}},
                    {"normal", {{'B', 2}, {'V', 1030}}, {{"temperature", 2}}},
                    {"tail",
                     {{'B', 1}, {'V', 40000}},
                     {{"temperature", 1}, {"top_p", 1}, {"sampling_seed", 1374}}},
                    {"zeros", {{'B', 1}, {'V', 1030}}, {{"top_p", 1}, {"sampling_seed", 18700}}},
                    {"integers", {}, {{"temperature", 0}}},
                    {"normal", {}, {{"temperature", 0}}},
                    {"ties", {}, {{"temperature", 0}}},
                    {"zeros", {}, {{"temperature", 0}}},
                    {"infinities", {}, {{"temperature", 0}}},
                    {"normal", {}, {{"temperature", 1}, {"top_p", 1}}},
                    {"normal", {}, {{"temperature", 0.01}}},
                    {"normal", {}, {{"temperature", 100}}},
                    {"subnormals", {}, {{"temperature", 1e-40}}},
                    {"normal", {}, {{"top_p", 0}}},
                    {"ties", {}, {{"top_p", 0}}},
                    {"normal", {}, {{"temperature", 5}, {"top_p", 0.05}}},
                    {"ties", {}, {{"temperature", 1}, {"top_p", 1}}},
                    {"zeros", {}, {{"top_p", 0.5}}},
                    {"infinities", {}, {{"top_p", 1}}},
                    {"normal", {}, {{"temperature", 3}, {"sampling_seed", 4294967301}}}},
                   Hashed({{"normal", {{'B', 1}, {'V', 202048}}},
                           {"normal", {{'B', 2}, {'V', 202048}}, {{"temperature", 0}}},
                           {"normal", {{'B', 1}, {'V', 1600000}}, {{"temperature", 0}}},
                           {"ties", {{'B', 1}, {'V', 202048}}, {{"temperature", 1}, {"top_p", 1}}},
                           {"real", {{'B', 4}, {'V', 264}}}})}),
    // [doc: example]
    .examples = {{
        .what = "four equal weights of 2^40, and top_p = 1/2. Before the third token lie 2 * 2^40, "
                "half of all and no more: it is kept, the fourth is not. Philox gives u = 0.926 * "
                "2^64, and 0.926 of the three kept lies in the third, token 2. A nucleus with < in "
                "place of <= keeps two and takes token 1; none at all takes token 3; the words of "
                "u exchanged, or a counter without its last 1, take token 1",
        .recipe = Dtype::kF32,
        .sizes = {{'B', 1}, {'V', 4}},
        .attributes = {{"temperature", 1}, {"top_p", 0.5}},
        .in = {{"logits", {2, 2, 2, 2}}, {"positions", {7}}},
        .out = {{"taken", {2}}},
    }},
    // [doc: end example]
    .reason =
        "T = 0 is greedy, where equal logits, and -0 beside +0, take the lowest id; T = 1e-40 is a "
        "subnormal that a flush turns into a division by zero; T = 0.01 leaves one token, T = 100 "
        "nearly all. top_p = 0 keeps the first alone, 1 all; forty equal weights and top_p = 0.5 "
        "lie on the edge exactly, and 21 are kept. Infinite logits are masked tokens (and, "
        "for T = 0, winners). In class tail one token weighs 2^40 and 39,999 weigh half a million "
        "each, 2 % together: a sum in binary32 loses a tenth of them, weights of 20 bits lose all, "
        "and the seed is one whose draw falls among them, on an id beyond 15 bits. The seed 18700 "
        "puts u so close behind an edge of 1030 equal weights that its lowest 40 bits decide. One "
        "seed passes 32 bits, and the second position is the largest. Of 1,600,000 tokens any "
        "kernel has to take more than one piece of a row",
    .fill =
        [](const Case& c, const Argument& argument, uint32_t tensor, Tensor* out) {
          const bool tail = c.input_class == "tail", infinities = c.input_class == "infinities";
          if (argument.name == "logits" && !tail && !infinities) return false;
          // positions   0, 2^32 - 1, then w
          // tail        14.5 for token 0, 0 for all others
          // infinities  class normal, but -inf where w mod 4 = 0 and i mod V > 0; where T = 0 also
          //             +inf where w mod 16 = 1
          if (infinities && argument.name == "logits") {
            FillByClass("normal", c.seed, tensor, argument.exponent, out);
          }
          for (int64_t i = 0; i < out->count(); ++i) {
            const uint32_t w = PhiloxWord(c.seed, tensor, static_cast<uint64_t>(i));
            if (argument.name == "positions") {
              out->values<int64_t>()[i] = i == 0 ? 0 : i == 1 ? 4294967295 : int64_t{w};
            } else if (tail) {
              out->SetReal(i, i % c.size('V') == 0 ? 14.5f : 0.0f);
            } else if (w % 4 == 0 && i % c.size('V') > 0) {
              out->SetReal(i, -INFINITY);
            } else if (w % 16 == 1 && c.attribute("temperature") == 0.0) {
              out->SetReal(i, INFINITY);
            }
          }
          return true;
        },
    .run =
        [](const Case& c, const Implementation& op, Tensors* t, int) {
          const SamplingChoice choice{c.attribute("temperature"), c.attribute("top_p"),
                                      static_cast<uint64_t>(c.attribute("sampling_seed"))};
          op.As<decltype(Sampling)>(c.recipe)(t->at("logits").As<const float, 'B', 'V'>(),
                                              t->at("positions").As<const int64_t, 'B'>(), choice,
                                              t->at("taken").As<int64_t, 'B'>());
        },
    .recorded = {{"logits", "output/logits"}, {"positions", "positions"}},
};
