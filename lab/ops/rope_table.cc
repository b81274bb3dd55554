#include "reference/ops/rope_table/rope_table.h"

#include <cmath>
#include <iterator>

#include "lab/input_class.h"
#include "lab/spec.h"
#include "reference/formats/philox.h"

TOUCHSTONE_OP_SPEC(rope_table) = {
    .title = "RoPE table",
    .formula = "angle = RN32(position * f[j]); table[t,j] = (cos(angle), sin(angle))",
    .arguments = {{"f", Role::kIn, "J", Stored::kF32},
                  {"positions", Role::kIn, "T", Stored::kI64},
                  {"table", Role::kOut, "TJ2", Stored::kF32}},
    .sizes = {{'T', 32}, {'J', 24}},
    .recipes = {Dtype::kF32},
    .rules = {"N1", "N5", "N7"},
    .cases = {{"bands", {}},
              {"bands", {{'T', 0}}},
              {"bands", {{'T', 1}, {'J', 1}}},
              {"bands", {{'T', 4}, {'J', 64}}},
              {"bands", {{'T', 65}, {'J', 3}}},
              {"quarters", {{'T', 2}, {'J', 200}}},
              {"integers", {{'T', 16}, {'J', 9}}},
              {"subnormals", {{'T', 16}, {'J', 8}}},
              {"zeros", {{'T', 3}, {'J', 8}}}},
    // [doc: example]
    .examples = {{
        .what = "f = 1.5 at position 2^23 + 1: the product 12582913.5 is a tie and rounds to the "
                "even 12582914, whose sine is -0.239. An angle kept in more bits has -0.675, half "
                "a radian away; a position in bf16 loses the 1 and has -0.784",
        .recipe = Dtype::kF32,
        .sizes = {{'T', 1}, {'J', 1}},
        .in = {{"f", {1.5}}, {"positions", {8388609}}},
        .out = {{"table", {0x1.f12b72p-1, -0x1.e958dp-3}}},
    }},
    // [doc: end example]
    .reason =
        "positions about the chunk's edges, of more than 8, 16 and 20 bits, Scout's last, "
        "10,485,759, and the last that the op takes. Class bands has frequencies of 24 bits from 1 "
        "down to 2^-23, as a head has; class quarters has angles next to multiples of a quarter "
        "turn, up to 13 million, where a reduction of the angle with too few bits of pi loses the "
        "small one of sine and cosine; subnormal frequencies show a flush, zeros the sign of the "
        "sine",
    .fill =
        [](const Case& c, const Argument& argument, uint32_t tensor, Tensor* out) {
          // positions, quarters   1, then 0
          // positions             the list below, then w mod 10485760; class integers mod 4096
          // f, bands              (2^23 + w mod 2^23) 2^(-24 - j mod 24)
          // f, quarters           RN32 of the binary64 product k RN64(pi / 2), k = w mod 2^23,
          //                       negative where w >= 2^31
          static constexpr int64_t kEdges[] = {
              10485759, 8191,  8192,  8193,   0,       1,       2,       3,        257,     4097,
              16383,    16384, 65537, 131071, 1048577, 8388607, 8388609, 10485758, 16777215};
          if (argument.name == "f" && c.input_class != "bands" && c.input_class != "quarters") {
            return false;
          }
          const bool quarters = c.input_class == "quarters";
          for (int64_t i = 0; i < out->count(); ++i) {
            const uint32_t w = PhiloxWord(c.seed, tensor, static_cast<uint64_t>(i));
            if (argument.name == "positions") {
              const int64_t listed = i < std::ssize(kEdges) ? kEdges[i] : w % 10485760;
              out->values<int64_t>()[i] = quarters                      ? 1 - i % 2
                                          : c.input_class == "integers" ? listed % 4096
                                                                        : listed;
            } else if (quarters) {
              const double angle = (w % 8388608) * 0x1.921fb54442d18p+0;
              out->SetReal(i, static_cast<float>(w >> 31 != 0 ? -angle : angle));
            } else {
              const float mantissa = static_cast<float>(8388608 + w % 8388608);
              out->SetReal(i, std::ldexp(mantissa, -24 - static_cast<int>(i % 24)));
            }
          }
          return true;
        },
    .run =
        [](const Case& c, const Implementation& op, Tensors* t, int) {
          op.As<decltype(RopeTable)>(c.recipe)(t->at("f").As<const float, 'J'>(),
                                               t->at("positions").As<const int64_t, 'T'>(),
                                               t->at("table").As<float, 'T', 'J', '2'>());
        },
    .rows = 'T',
};
