#include "reference/ops/embedding/embedding.h"

#include "lab/input_class.h"
#include "lab/spec.h"
#include "reference/formats/philox.h"

TOUCHSTONE_OP_SPEC(embedding) = {
    .title = "Embedding",
    .formula = "h[t,c] = table[ids[t],c]",
    .arguments = {{"ids", Role::kIn, "T", Stored::kI64},
                  {"table", Role::kIn, "VC"},
                  {"h", Role::kOut, "TC"}},
    .sizes = {{'T', 7}, {'V', 24}, {'C', 20}},
    .rules = {"N2", "N9"},
    .cases = Rows({GeneralClasses({}),
                   {{"normal", {{'T', 0}}},
                    {"normal", {{'T', 1}, {'V', 1}, {'C', 1}}},
                    {"normal", {{'T', 5}, {'V', 300}, {'C', 3}}},
                    {"normal", {{'T', 65}, {'V', 11}, {'C', 5}}}},
                   Hashed({{"normal", {{'T', 2}, {'V', 3}, {'C', 5120}}},
                           {"specials", {{'T', 40}, {'V', 24}, {'C', 20}}},
                           {"normal", {{'T', 35}, {'V', 70}, {'C', 37}}},
                           {"normal", {{'T', 4}, {'V', 3}, {'C', 5120}}},
                           {"normal", {{'T', 4}, {'V', 202048}, {'C', 8}}},
                           {"normal", {{'T', 35}, {'V', 70}, {'C', 64}}},
                           {"real", {{'T', 4}, {'V', 264}, {'C', 160}}}}),
                   Hashed({{"normal", {{'T', 4}, {'V', 202048}, {'C', 512}}}}, Suite::kFull)}),
    // [doc: example]
    .examples = {{
        .what = "the rows 2, 0 and 2 of a table of two channels, bit by bit: -0 stays -0, and 3 "
                "stays 3. A kernel that multiplies by sqrt(C), as models of other families do, "
                "gives 4.25 for it; one that counts ids from 1 takes other rows",
        .recipe = Dtype::kBf16,
        .sizes = {{'T', 3}, {'V', 3}, {'C', 2}},
        .in = {{"ids", {2, 0, 2}}, {"table", {-0.0, 0.25, 5, 7, 3, -1}}},
        .out = {{"h", {3, -1, -0.0, 0.25, 3, -1}}},
    }},
    // [doc: end example]
    .reason =
        "a copy shows every bit: signs of zero, subnormals, infinities and NaN. The ids hold the "
        "first and the last row of the table and repeat one; 300 rows pass an id of 8 bits, and 65 "
        "tokens use each of 11 rows several times. 5120 channels are the published width",
    .fill =
        [](const Case& c, const Argument& argument, uint32_t tensor, Tensor* out) {
          if (argument.name != "ids") return false;
          // 0, V - 1, V - 1, then w mod V.
          const int64_t V = c.size('V');
          for (int64_t t = 0; t < out->count(); ++t) {
            const int64_t w = PhiloxWord(c.seed, tensor, static_cast<uint64_t>(t));
            out->values<int64_t>()[t] = t == 0 ? 0 : t < 3 ? V - 1 : w % V;
          }
          return true;
        },
    .run =
        [](const Case& c, const Implementation& op, Tensors* t, int) {
          ByStorage(c.recipe, [&]<typename Storage>() {
            op.As<decltype(Embedding<Storage>)>(c.recipe)(
                t->at("ids").As<const int64_t, 'T'>(), t->at("table").As<const Storage, 'V', 'C'>(),
                t->at("h").As<Storage, 'T', 'C'>());
          });
        },
    .rows = 'T',
    .recorded = {{"ids", "ids"}, {"table", "weights/embedding"}},
};
