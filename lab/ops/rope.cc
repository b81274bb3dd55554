#include "reference/ops/rope/rope.h"

#include "lab/input_class.h"
#include "lab/spec.h"
#include "reference/formats/philox.h"

TOUCHSTONE_OP_SPEC(rope) = {
    .title = "RoPE",
    .formula = "y[2j] = RN(x[2j] * cos - x[2j+1] * sin), y[2j+1] = RN(x[2j] * sin + x[2j+1] * cos)",
    .arguments = {{"x", Role::kIn, "THD"},
                  {"table", Role::kIn, "TJ2", Stored::kF32},
                  {"y", Role::kOut, "THD"}},
    .sizes = {{'T', 3}, {'H', 2}, {'D', 16}},
    .rules = {"N1", "N9"},
    .cases = Rows({GeneralClasses({}),
                   {{"specials", {{'T', 4}, {'H', 5}, {'D', 32}}},
                    {"normal", {{'T', 0}}},
                    {"normal", {{'T', 1}, {'H', 1}, {'D', 2}}},
                    {"normal", {{'T', 5}, {'H', 3}, {'D', 6}}},
                    {"witness", {}},
                    {"witness", {{'T', 2}, {'D', 128}}},
                    {"cancel", {}}},
                   Hashed({{"normal", {{'T', 1}, {'H', 40}, {'D', 128}}},
                           {"tiny", {{'T', 3}, {'H', 2}, {'D', 16}}},
                           {"normal", {{'T', 35}, {'H', 1}, {'D', 4}}},
                           {"normal", {{'T', 2}, {'H', 5}, {'D', 70}}},
                           {"normal", {{'T', 4}, {'H', 40}, {'D', 128}}},
                           {"normal", {{'T', 35}, {'H', 5}, {'D', 128}}},
                           {"real", {{'T', 4}, {'H', 5}, {'D', 32}}}})}),
    // [doc: example]
    .examples = {{
        .what = "two pairs: a quarter turn, and cos = 1 + 2^-12, sin = 1 (a table holds any "
                "numbers). (1, 2) turns to (-2, 1). In the second pair both x are 1 + 2^-12. The "
                "product with cos, 1 + 2^-11 + 2^-24, is a tie and rounds to 1 + 2^-11, so that "
                "y[2] = 2^-12 and y[3] = 2 + 2^-11 + 2^-12. An fma keeps the 2^-24: y[2] = 2^-12 + "
                "2^-24. A kernel that turns halves pairs x[0] with x[2]",
        .recipe = Dtype::kF32,
        .sizes = {{'T', 1}, {'H', 1}, {'D', 4}},
        .in = {{"x", {1, 2, 0x1.001p+0, 0x1.001p+0}}, {"table", {0, 1, 0x1.001p+0, 1}}},
        .out = {{"y", {-2, 1, 0x1p-12, 0x1.0018p+1}}},
    }},
    // [doc: end example]
    .reason =
        "class witness has one 1 in each head, so that every output is one entry of the table and "
        "a wrong pair, head, token or sign cannot hide; class cancel subtracts nearly equal "
        "products, where an fma shows in bf16 too. Tables have all 24 bits and no symmetry: the op "
        "must not count on cos^2 + sin^2 = 1. In class specials token 0 has the angle 0, where "
        "infinity * 0 is a NaN that a kernel which skips position 0 does not give. 40 heads of 128 "
        "are the published width",
    .derive = [](Sizes* sizes) { sizes->insert_or_assign('J', sizes->at('D') / 2); },
    .fill =
        [](const Case& c, const Argument& argument, uint32_t tensor, Tensor* out) {
          // x, witness      1 where d = (3 t + 5 h + 1) mod D, else 0
          // x, cancel       class normal, x[2j + 1] = x[2j]
          // table           m 2^-24, m = 256 n + w mod 256, n of rule N10 in f32 (integers and
          //                 ties: the class itself)
          // table, cancel   cos so, sin = (m xor 256) 2^-24 with the m of its cosine
          // table, specials so, token 0 has cos = 1, sin = 0
          const bool cancel = c.input_class == "cancel";
          const int64_t H = c.size('H'), D = c.size('D');
          if (argument.name == "x") {
            if (c.input_class != "witness" && !cancel) return false;
            FillByClass("normal", c.seed, tensor, argument.exponent, out);
            for (int64_t i = 0; i < out->count(); ++i) {
              const int64_t d = i % D, one = (3 * (i / D / H) + 5 * (i / D % H) + 1) % D;
              if (!cancel) out->SetReal(i, d == one ? 1.0f : 0.0f);
              if (cancel && d % 2 == 1) out->SetReal(i, static_cast<float>(out->Real(i - 1)));
            }
            return true;
          }
          if (c.input_class == "integers" || c.input_class == "ties") return false;
          for (int64_t i = 0; i < out->count(); ++i) {
            const bool copied = cancel && i % 2 == 1;
            const uint32_t w =
                PhiloxWord(c.seed, tensor, static_cast<uint64_t>(copied ? i - 1 : i));
            const int32_t m = 256 * PhiloxF32Integer(w) + static_cast<int32_t>(w % 256);
            out->SetReal(i, static_cast<float>(copied ? m ^ 256 : m) * 0x1p-24f);
            if (c.input_class == "specials" && i < D) out->SetReal(i, i % 2 == 0 ? 1.0f : 0.0f);
          }
          return true;
        },
    .run =
        [](const Case& c, const Implementation& op, Tensors* t, int) {
          ByStorage(c.recipe, [&]<typename Storage>() {
            op.As<decltype(Rope<Storage>)>(c.recipe)(
                t->at("x").As<const Storage, 'T', 'H', 'D'>(),
                t->at("table").As<const float, 'T', 'J', '2'>(),
                t->at("y").As<Storage, 'T', 'H', 'D'>());
          });
        },
    .rows = 'T',
    .recorded = {{"x", "layer.02/attention/q"}, {"table", "rope_table"}},
};
