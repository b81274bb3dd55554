#include "reference/ops/swiglu/swiglu.h"

#include "lab/input_class.h"
#include "lab/spec.h"
#include "reference/formats/philox.h"

TOUCHSTONE_OP_SPEC(swiglu) = {
    .title = "SwiGLU",
    .formula = "y = RN(RN(gate / (1 + exp(-gate))) * up)",
    .arguments = {{"gate", Role::kIn, "TF", Stored::kRecipe, 5},
                  {"up", Role::kIn, "TF"},
                  {"y", Role::kOut, "TF"}},
    .sizes = {{'T', 3}, {'F', 80}},
    .rules = {"N1", "N5", "N9"},
    .cases = Rows({GeneralClasses({}),
                   {{"normal", {{'T', 0}}},
                    {"normal", {{'T', 1}, {'F', 1}}},
                    {"normal", {{'T', 5}, {'F', 67}}},
                    {"saturation", {}},
                    {"unit_up", {}}},
                   Hashed({{"normal", {{'T', 1}, {'F', 8192}}},
                           {"tiny", {{'T', 3}, {'F', 80}}},
                           {"normal", {{'T', 35}, {'F', 37}}},
                           {"normal", {{'T', 4}, {'F', 8192}}},
                           {"normal", {{'T', 1}, {'F', 16384}}},
                           {"normal", {{'T', 35}, {'F', 64}}},
                           {"zeros_first", {{'T', 4}, {'F', 64}}},
                           {"zeros_second", {{'T', 4}, {'F', 64}}},
                           {"real", {{'T', 4}, {'F', 96}}}})}),
    // [doc: example]
    .examples = {{
        .what =
            "silu(1) = 1/(1 + 1/e) = 187.15/256, which the first rounding makes 187/256; times 9/8 "
            "it is 210.375/256, and the second makes that 210/256. A kernel that rounds once ends "
            "at 211/256. silu(100) is 100; a kernel that exchanges gate and up gives 73 there",
        .recipe = Dtype::kBf16,
        .sizes = {{'T', 1}, {'F', 2}},
        .in = {{"gate", {1, 100}}, {"up", {1.125, 1}}},
        .out = {{"y", {0x1.a4p-1, 100}}},
    }},
    // [doc: end example]
    .reason =
        "gates of class normal reach from -8 to 8, where the curve bends; class saturation has "
        "gates about -88.72, below which exp(-gate) is infinite and the quotient is -0, with the "
        "two binary32 numbers on either side of that edge first; class unit_up has up = 1, so that "
        "an output is one silu alone and exchanged arguments are seen; 67 and 8192 (the published "
        "width of an expert) lie off and on the usual vector widths",
    .fill =
        [](const Case& c, const Argument& argument, uint32_t tensor, Tensor* out) {
          if (c.input_class == "unit_up") {
            if (argument.name != "up") return false;
            for (int64_t i = 0; i < out->count(); ++i) out->SetReal(i, 1.0f);
            return true;
          }
          if (c.input_class != "saturation") return false;
          FillByClass("normal", c.seed, tensor, argument.exponent, out);
          if (argument.name != "gate") return true;
          // -(80 + (w mod 64) / 2); the first two are the last gate whose exponential is finite and
          // its neighbour, both -88.5 in bf16.
          for (int64_t i = 0; i < out->count(); ++i) {
            const uint32_t w = PhiloxWord(c.seed, tensor, static_cast<uint64_t>(i));
            const float edge = i == 0 ? 0x1.62e42ep+6f : 0x1.62e430p+6f;
            out->SetReal(i, i < 2 ? -edge : -80.0f - static_cast<float>(w % 64) * 0.5f);
          }
          return true;
        },
    .run =
        [](const Case& c, const Implementation& op, Tensors* t, int) {
          ByStorage(c.recipe, [&]<typename Storage>() {
            op.As<decltype(SwiGlu<Storage>)>(c.recipe)(t->at("gate").As<const Storage, 'T', 'F'>(),
                                                       t->at("up").As<const Storage, 'T', 'F'>(),
                                                       t->at("y").As<Storage, 'T', 'F'>());
          });
        },
    .rows = 'T',
    .recorded = {{"gate", "layer.02/feed_forward/shared_gate"},
                 {"up", "layer.02/feed_forward/shared_up"}},
    .places = {exact::RoundingPlace::kSilu},
};
