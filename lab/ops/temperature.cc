#include "reference/ops/temperature/temperature.h"

#include <iterator>

#include "lab/input_class.h"
#include "lab/spec.h"
#include "reference/formats/philox.h"

TOUCHSTONE_OP_SPEC(temperature) = {
    .title = "Attention temperature",
    .formula = "y = RN(q * (log(floor((position + 1) / floor_scale) + 1) * attn_scale + 1))",
    .arguments = {{"q", Role::kIn, "THD"},
                  {"positions", Role::kIn, "T", Stored::kI64},
                  {"y", Role::kOut, "THD"}},
    .sizes = {{'T', 20}, {'H', 2}, {'D', 5}},
    .attributes = {{"floor_scale", 8192}, {"attn_scale", 0.1}},
    .rules = {"N1", "N5", "N7", "N9", "N12"},
    .cases = Rows({GeneralClasses({}),
                   {{"specials", {{'D', 12}}},
                    {"normal", {{'T', 0}}},
                    {"normal", {{'T', 1}, {'H', 1}, {'D', 1}}},
                    {"normal", {{'T', 65}, {'H', 1}, {'D', 3}}},
                    {"ones", {{'T', 40}, {'H', 1}, {'D', 1}}},
                    {"ones", {}, {{"floor_scale", 4}}},
                    {"normal", {}, {{"floor_scale", 3}}},
                    {"ones", {}, {{"floor_scale", 0.7}}},
                    {"ones", {}, {{"floor_scale", 1}, {"attn_scale", 1}}},
                    {"normal", {}, {{"attn_scale", -0.3}}},
                    {"normal", {}, {{"attn_scale", 0}}}},
                   Hashed({{"normal", {{'T', 1}, {'H', 40}, {'D', 128}}},
                           {"normal", {{'T', 35}, {'H', 5}, {'D', 37}}},
                           {"normal", {{'T', 4}, {'H', 40}, {'D', 128}}},
                           {"normal", {{'T', 35}, {'H', 5}, {'D', 128}}},
                           {"real", {{'T', 4}, {'H', 5}, {'D', 32}}, {{"floor_scale", 128}}}})}),
    // [doc: example]
    .examples = {{
        .what =
            "floor_scale 4: at position 2 no step is reached, the temperature is 1 and 3 stays 3. "
            "Position 3 is the fourth, one step: log(2) * 0.1 + 1 = 1.0693147, and RN(3.2079442) = "
            "205/64 in bf16. A temperature rounded to bf16 first, 137/128, gives 3.2109375, a tie, "
            "and 206/64; without the + 1 on the position nothing changes until position 4",
        .recipe = Dtype::kBf16,
        .sizes = {{'T', 2}, {'H', 1}, {'D', 1}},
        .attributes = {{"floor_scale", 4}},
        .in = {{"q", {3, 3}}, {"positions", {2, 3}}},
        .out = {{"y", {3, 0x1.9ap+1}}},
    }},
    // [doc: end example]
    .reason =
        "positions on both sides of the first steps, 8191 and 16383; 8180, which positions in bf16 "
        "put behind the step; Scout's last and the last that the op takes. Class ones shows the "
        "temperature itself. A floor_scale of 4 has many steps, 3 and 0.7 have quotients that are "
        "rounded; a negative attn_scale cancels, 0 leaves q alone. 40 heads of 128 are the "
        "published width",
    .fill =
        [](const Case& c, const Argument& argument, uint32_t tensor, Tensor* out) {
          // positions   the list below, then w mod 10485760
          // q, ones     1
          static constexpr int64_t kEdges[] = {
              8191, 8190, 0,     16383, 16382, 10485759, 8180,    8192,     1,       2,
              3,    4,    24575, 32767, 8193,  131071,   1048575, 10485758, 16777214};
          if (argument.name == "q") {
            for (int64_t i = 0; c.input_class == "ones" && i < out->count(); ++i) {
              out->SetReal(i, 1.0f);
            }
            return c.input_class == "ones";
          }
          for (int64_t i = 0; i < out->count(); ++i) {
            const int64_t w = PhiloxWord(c.seed, tensor, static_cast<uint64_t>(i));
            out->values<int64_t>()[i] = i < std::ssize(kEdges) ? kEdges[i] : w % 10485760;
          }
          return true;
        },
    .run =
        [](const Case& c, const Implementation& op, Tensors* t, int) {
          ByStorage(c.recipe, [&]<typename Storage>() {
            op.As<decltype(Temperature<Storage>)>(c.recipe)(
                t->at("q").As<const Storage, 'T', 'H', 'D'>(),
                t->at("positions").As<const int64_t, 'T'>(), c.constant("floor_scale"),
                c.constant("attn_scale"), t->at("y").As<Storage, 'T', 'H', 'D'>());
          });
        },
    .rows = 'T',
    .recorded = {{"q", "layer.03/attention/q"}, {"positions", "positions"}},
};
