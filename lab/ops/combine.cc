#include "reference/ops/combine/combine.h"

#include "lab/input_class.h"
#include "lab/spec.h"
#include "reference/formats/philox.h"

TOUCHSTONE_OP_SPEC(combine) = {
    .title = "Combine",
    .formula = "y[t,c] = RN(sum from +0 of rows[r,c] over the rows r of token t, r ascending)",
    .arguments = {{"rows", Role::kIn, "RC"},
                  {"row_token", Role::kIn, "R", Stored::kI64},
                  {"y", Role::kOut, "TC"}},
    .sizes = {{'T', 4}, {'R', 8}, {'C', 40}},
    .rules = {"N1", "N9"},
    .cases = Rows({GeneralClasses({}),
                   {{"normal", {{'T', 0}, {'R', 0}}},
                    {"normal", {{'R', 0}}},
                    {"normal", {{'T', 1}, {'R', 1}, {'C', 1}}},
                    {"normal", {{'T', 5}, {'R', 5}, {'C', 67}}},
                    {"zeros", {{'T', 5}, {'R', 5}}},
                    {"normal", {{'T', 3}, {'R', 24}, {'C', 33}}},
                    {"wide", {{'T', 3}, {'R', 24}, {'C', 33}}},
                    {"one_token", {}},
                    {"uneven", {{'T', 5}, {'R', 9}}},
                    {"cancel", {{'T', 5}, {'R', 15}}}},
                   Hashed({{"normal", {{'T', 1}, {'R', 2}, {'C', 5120}}},
                           {"normal", {{'T', 35}, {'R', 35}, {'C', 37}}},
                           {"normal", {{'T', 300}, {'R', 300}, {'C', 2}}},
                           {"normal", {{'T', 2}, {'R', 37}, {'C', 3}}},
                           {"normal", {{'T', 4}, {'R', 4}, {'C', 5120}}},
                           {"normal", {{'T', 35}, {'R', 35}, {'C', 64}}},
                           {"real", {{'T', 4}, {'R', 4}, {'C', 160}}}}),
                   Hashed({{"normal", {{'T', 65540}, {'R', 65540}, {'C', 1}}}}, Suite::kFull)}),
    // [doc: example]
    .examples = {{
        .what = "token 0 owns the rows 0, 2 and 3: 256 + 1 + 1 = 258 in binary32. A sum kept in "
                "bf16 loses each 1 to a tie and stays at 256. Token 1 owns row 1 alone, and +0 + "
                "-0 is +0: a kernel that copies the row gives -0",
        .recipe = Dtype::kBf16,
        .sizes = {{'T', 2}, {'R', 4}, {'C', 1}},
        .in = {{"rows", {256, -0.0, 1, 1}}, {"row_token", {0, 1, 0, 0}}},
        .out = {{"y", {258, 0}}},
    }},
    // [doc: end example]
    .reason =
        "one expert a token is the published case, two are common, eight make the order count; "
        "zeros show the sign of a sum that starts from +0. Class one_token gives every row to "
        "token 0, class uneven leaves tokens without a row, and in class cancel a large row and "
        "its negative surround a small one, so that a row too many, too few or in another place is "
        "seen",
    .fill =
        [](const Case& c, const Argument& argument, uint32_t tensor, Tensor* out) {
          const int64_t T = c.size('T'), R = c.size('R'), C = c.size('C');
          if (argument.name == "row_token") {
            TOUCHSTONE_REQUIRE(T > 0 || R == 0);
            // Rows as op dispatch sorts them: every token once in each pass over the tokens, the
            // passes (experts) one after the other. uneven: w mod T, with tokens 0 and 3 left out.
            for (int64_t r = 0; r < R; ++r) {
              int64_t token = c.input_class == "one_token" ? 0 : r % T;
              if (c.input_class == "uneven") {
                const int64_t word = PhiloxWord(c.seed, tensor, static_cast<uint64_t>(r));
                token = word % T;
                if (token == 0 || token == 3) token = 1;
              }
              out->values<int64_t>()[r] = token;
            }
            return true;
          }
          if (c.input_class == "uneven" || c.input_class == "one_token") {
            FillByClass("normal", c.seed, tensor, argument.exponent, out);
            return true;
          }
          if (c.input_class != "cancel") return false;
          // Passes 0 and 2 are 256 and -256 times the first pass's normal values, pass 1 is normal.
          FillByClass("normal", c.seed, tensor, argument.exponent, out);
          for (int64_t r = 0; r < R; ++r) {
            if (r / T == 1) continue;
            for (int64_t i = 0; i < C; ++i) {
              const float large = r < T ? 256.0f * static_cast<float>(out->Real(r * C + i))
                                        : -static_cast<float>(out->Real((r % T) * C + i));
              out->SetReal(r * C + i, large);
            }
          }
          return true;
        },
    .run =
        [](const Case& c, const Implementation& op, Tensors* t, int) {
          ByStorage(c.recipe, [&]<typename Storage>() {
            op.As<decltype(Combine<Storage>)>(c.recipe)(t->at("rows").As<const Storage, 'R', 'C'>(),
                                                        t->at("row_token").As<const int64_t, 'R'>(),
                                                        t->at("y").As<Storage, 'T', 'C'>());
          });
        },
    .recorded = {{"rows", "sorted/layer.02/feed_forward/expert_down"},
                 {"row_token", "sorted/layer.02/feed_forward/row_token"}},
};
