#include "reference/ops/expert_linear/expert_linear.h"

#include "lab/input_class.h"
#include "lab/spec.h"

TOUCHSTONE_OP_SPEC(expert_linear) = {
    .title = "Expert linear",
    .formula = "y[r,f] = RN(chain over c of x[r,c] * weight[e,f,c]), e the expert that owns row r",
    .arguments = {{"x", Role::kIn, "RC"},
                  {"weight", Role::kIn, "EFC"},
                  {"offsets", Role::kIn, "O", Stored::kI64},
                  {"y", Role::kOut, "RF"}},
    .sizes = {{'R', 6}, {'C', 40}, {'E', 3}, {'F', 5}},
    .rules = {"N1", "N3", "N9"},
    .cases = Rows({GeneralClasses({}),
                   {{"normal", {{'R', 0}}},
                    {"normal", {{'C', 0}}},
                    {"normal", {{'R', 1}, {'C', 1}, {'E', 1}, {'F', 1}}},
                    {"normal", {{'R', 20}, {'C', 16}, {'E', 16}, {'F', 3}}},
                    {"normal", {{'R', 2}, {'C', 3}, {'E', 2}, {'F', 65}}},
                    {"first_expert", {}},
                    {"last_expert", {}},
                    {"witness", {{'R', 9}}},
                    {"witness", {{'R', 20}, {'C', 16}, {'E', 16}, {'F', 3}}}},
                   Hashed({{"normal", {{'R', 3}, {'C', 512}, {'E', 2}, {'F', 2}}},
                           {"normal", {{'R', 3}, {'C', 513}, {'E', 2}, {'F', 2}}},
                           {"integers", {{'R', 3}, {'C', 1030}, {'E', 2}, {'F', 2}}},
                           {"normal", {{'R', 3}, {'C', 1030}, {'E', 2}, {'F', 2}}},
                           {"normal", {{'R', 2}, {'C', 5120}, {'E', 2}, {'F', 1}}},
                           {"specials", {{'R', 12}, {'C', 5}, {'E', 3}, {'F', 9}}},
                           {"tiny", {{'R', 6}, {'C', 40}, {'E', 3}, {'F', 5}}},
                           {"normal", {{'R', 35}, {'C', 33}, {'E', 37}, {'F', 5}}},
                           {"normal", {{'R', 300}, {'C', 3}, {'E', 4}, {'F', 2}}},
                           {"normal", {{'R', 65540}, {'C', 1}, {'E', 2}, {'F', 1}}},
                           {"normal", {{'R', 4}, {'C', 5120}, {'E', 16}, {'F', 4}}},
                           {"normal", {{'R', 4}, {'C', 5120}, {'E', 128}, {'F', 1}}},
                           {"normal", {{'R', 4}, {'C', 4}, {'E', 16}, {'F', 8192}}},
                           {"normal", {{'R', 4}, {'C', 8192}, {'E', 16}, {'F', 2}}},
                           {"normal", {{'R', 35}, {'C', 64}, {'E', 3}, {'F', 64}}},
                           {"nans", {{'R', 12}, {'C', 64}, {'E', 3}, {'F', 64}}},
                           {"zeros_first", {{'R', 12}, {'C', 64}, {'E', 3}, {'F', 64}}},
                           {"zeros_second", {{'R', 12}, {'C', 64}, {'E', 3}, {'F', 64}}},
                           {"tiny", {{'R', 6}, {'C', 64}, {'E', 3}, {'F', 64}}},
                           {"real", {{'R', 4}, {'C', 160}, {'E', 16}, {'F', 96}}}}),
                   Hashed({{"normal", {{'R', 4}, {'C', 5120}, {'E', 16}, {'F', 512}}},
                           {"normal", {{'R', 4}, {'C', 5120}, {'E', 128}, {'F', 64}}}},
                          Suite::kFull)}),
    // [doc: example]
    .examples = {{
        .what = "expert 0 owns row 0, expert 1 no row, expert 2 the rows 1 and 2. Row 0 is 1 * 1 + "
                "2 * 10 = 21, row 1 is 3 * 5 + 4 * 7 = 43, row 2 is 6 * 7 = 42. A kernel that "
                "gives the rows to the experts one each, or that skips the empty expert's weight, "
                "meets the 100 of expert 1",
        .recipe = Dtype::kBf16,
        .sizes = {{'R', 3}, {'C', 2}, {'E', 3}, {'F', 1}},
        .in = {{"x", {1, 2, 3, 4, 0, 6}},
               {"weight", {1, 10, 100, 100, 5, 7}},
               {"offsets", {0, 1, 1, 3}}},
        .out = {{"y", {21, 43, 42}}},
    }},
    // [doc: end example]
    .reason =
        "rows are shared out unevenly, the first expert has none, and of 16 experts several have "
        "none; classes first_expert and last_expert give one of them all rows, and R = 0 is a step "
        "without routed tokens. 512, 513 and 1030 lie about the slices of 512; 65 outputs lie "
        "about the row of 64 of op linear. Class witness has one weight of 1 in each row, at "
        "another place for each expert, so that every output is one input, exactly, and names the "
        "expert it met",
    .derive = [](Sizes* sizes) { (*sizes)['O'] = sizes->at('E') + 1; },
    .fill =
        [](const Case& c, const Argument& argument, uint32_t tensor, Tensor* out) {
          const int64_t R = c.size('R'), E = c.size('E'), F = c.size('F'), C = c.size('C');
          if (argument.name == "offsets") {
            TOUCHSTONE_REQUIRE(E > 0);
            // first_expert: 0, R, R ... last_expert: 0 ... 0, R. Others: floor(R e^2 / E^2).
            for (int64_t e = 0; e <= E; ++e) {
              int64_t offset = R * e * e / (E * E);
              if (c.input_class == "first_expert") offset = e == 0 ? 0 : R;
              if (c.input_class == "last_expert") offset = e == E ? R : 0;
              out->values<int64_t>()[e] = offset;
            }
            return true;
          }
          if (c.input_class == "witness" && argument.name == "weight") {
            // weight[e,f,i] = 1 where i = (131 f + 7 e + tensor mod 7) mod C, else 0
            for (int64_t e = 0; e < E; ++e) {
              for (int64_t f = 0; f < F; ++f) {
                for (int64_t i = 0; i < C; ++i) {
                  const bool one = i == (f * 131 + e * 7 + tensor % 7) % C;
                  out->SetReal((e * F + f) * C + i, one ? 1.0f : 0.0f);
                }
              }
            }
            return true;
          }
          const std::string& own = c.input_class;  // everything else in these classes is normal
          if (own != "first_expert" && own != "last_expert" && own != "witness") return false;
          FillByClass("normal", c.seed, tensor, argument.exponent, out);
          return true;
        },
    .run =
        [](const Case& c, const Implementation& op, Tensors* t, int threads) {
          ByStorage(c.recipe, [&]<typename Storage>() {
            op.As<decltype(ExpertLinear<Storage>)>(c.recipe)(
                t->at("x").As<const Storage, 'R', 'C'>(),
                t->at("weight").As<const Storage, 'E', 'F', 'C'>(),
                t->at("offsets").As<const int64_t, 'O'>(), t->at("y").As<Storage, 'R', 'F'>(),
                threads);
          });
        },
    .recorded = {{"x", "sorted/layer.02/feed_forward/expert_input"},
                 {"weight", "weights/layer.02/experts/gate"},
                 {"offsets", "sorted/layer.02/feed_forward/offsets"}},
};
