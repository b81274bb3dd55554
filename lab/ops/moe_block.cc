#include "reference/ops/chains.h"

#include "lab/input_class.h"
#include "lab/spec.h"

TOUCHSTONE_OP_SPEC(moe_block) = {
    .title = "Mixture-of-experts block",
    .formula = "y = RN(shared(x) + sum over the chosen experts e of expert_e(x * score_e))",
    .arguments = {{"x", Role::kIn, "TC"},
                  {"router", Role::kIn, "EC"},
                  {"gate", Role::kIn, "EFC"},
                  {"up", Role::kIn, "EFC"},
                  {"down", Role::kIn, "ECF"},
                  {"shared_gate", Role::kIn, "FC"},
                  {"shared_up", Role::kIn, "FC"},
                  {"shared_down", Role::kIn, "CF"},
                  {"y", Role::kOut, "TC"}},
    .sizes = {{'T', 5}, {'C', 16}, {'F', 12}, {'E', 4}, {'A', 1}},
    .rules = {"N1", "N3", "N5", "N6", "N9"},
    .cases = Rows({{{"wide", {}},
                    {"specials", {}},
                    {"integers", {}},
                    {"normal", {}},
                    {"outliers", {}},
                    {"ties", {{'T', 3}}},
                    {"normal", {{'A', 2}}},
                    {"one_expert", {}},
                    {"normal", {{'T', 1}}}},
                   Hashed({{"specials", {{'T', 24}, {'C', 3}, {'F', 2}, {'E', 3}}},
                           {"normal", {{'T', 35}, {'C', 33}, {'F', 37}, {'E', 5}}},
                           {"normal", {{'T', 6}, {'C', 5}, {'F', 3}, {'E', 37}}},
                           {"normal", {{'T', 4}, {'C', 5120}, {'F', 2}, {'E', 16}}},
                           {"normal", {{'T', 2}, {'C', 5120}, {'F', 1}, {'E', 128}}},
                           {"normal", {{'T', 2}, {'C', 4}, {'F', 8192}, {'E', 16}}},
                           {"normal", {{'T', 35}, {'C', 64}, {'F', 64}, {'E', 16}}},
                           {"real", {{'T', 4}, {'C', 160}, {'F', 96}, {'E', 16}}}}),
                   Hashed({{"normal", {{'T', 4}, {'C', 5120}, {'F', 256}, {'E', 16}}},
                           {"normal", {{'T', 4}, {'C', 5120}, {'F', 32}, {'E', 128}}}},
                          Suite::kFull)}),
    // [doc: example]
    .examples = {{
        .what = "the router's logits are 0 and -2: expert 0, with score 1/(1 + 1) = 1/2. Its input "
                "is 2/2 = 1, so gate 100, up 3, activation 300, output 150. The shared expert has "
                "gate 100, up 2 and output 200; the sum is 350. The score on the output gives "
                "600/2 = 300 in place of 150, a softmax a score of 0.88, and a scaled input of the "
                "shared expert 50",
        .recipe = Dtype::kBf16,
        .sizes = {{'T', 1}, {'C', 1}, {'F', 1}, {'E', 2}, {'A', 1}},
        .in = {{"x", {2}},
               {"router", {0, -1}},
               {"gate", {100, 1}},
               {"up", {3, 1}},
               {"down", {0.5, 1}},
               {"shared_gate", {50}},
               {"shared_up", {1}},
               {"shared_down", {1}}},
        .out = {{"y", {350}}},
    }},
    // [doc: end example]
    .reason =
        "every place where implementations of this block differ meets here: the choice by rounded "
        "logits, the score on the input, empty experts, the routed sum and the shared expert added "
        "last. Class one_expert sends all tokens to expert 2 and leaves the others empty; two "
        "experts a token make the order of the sum count. In class integers the router's weights "
        "are of class normal, so that few choices are ties; class ties keeps them",
    .derive =
        [](Sizes* sizes) {
          sizes->insert_or_assign('R', sizes->at('T') * sizes->at('A'));
          sizes->insert_or_assign('O', sizes->at('E') + 1);
        },
    .fill =
        [](const Case& c, const Argument& argument, uint32_t tensor, Tensor* out) {
          const bool routes = argument.name == "router";
          if (routes && c.input_class == "integers") {
            FillByClass("normal", c.seed, tensor, argument.exponent, out);
            return true;
          }
          if (c.input_class != "one_expert") return false;
          // Class normal, but channel 0 is 2 in x, and 8 for expert 2 and 0 for others in router.
          FillByClass("normal", c.seed, tensor, argument.exponent, out);
          if (!routes && argument.name != "x") return true;
          const int64_t C = c.size('C');
          for (int64_t row = 0; row < out->count() / C; ++row) {
            out->SetReal(row * C, !routes ? 2.0f : row == 2 ? 8.0f : 0.0f);
          }
          return true;
        },
    .run =
        [](const Case& c, const Implementation& chain, Tensors* t, int) {
          ByStorage(c.recipe, [&]<typename Storage>() {
            chain.As<decltype(MoeBlock<Storage>)>(c.recipe)(
                t->at("x").As<const Storage, 'T', 'C'>(),
                t->at("router").As<const Storage, 'E', 'C'>(),
                t->at("gate").As<const Storage, 'E', 'F', 'C'>(),
                t->at("up").As<const Storage, 'E', 'F', 'C'>(),
                t->at("down").As<const Storage, 'E', 'C', 'F'>(),
                t->at("shared_gate").As<const Storage, 'F', 'C'>(),
                t->at("shared_up").As<const Storage, 'F', 'C'>(),
                t->at("shared_down").As<const Storage, 'C', 'F'>(), c.size('A'),
                t->at("y").As<Storage, 'T', 'C'>());
          });
        },
    .rows = 'T',
    .recorded = {{"x", "layer.02/feed_forward_norm"},
                 {"router", "weights/layer.02/router"},
                 {"gate", "weights/layer.02/experts/gate"},
                 {"up", "weights/layer.02/experts/up"},
                 {"down", "weights/layer.02/experts/down"},
                 {"shared_gate", "weights/layer.02/gate"},
                 {"shared_up", "weights/layer.02/up"},
                 {"shared_down", "weights/layer.02/down"}},
    .steps =
        {{.op = "linear",
          .tensors = {{"x", "x"}, {"weight", "router"}, {"y", "router_logits"}},
          .letters = {{'F', 'E'}}},
         {.op = "router",
          .tensors = {{"logits", "router_logits"}, {"chosen", "chosen"}, {"scores", "scores"}},
          .places = {{"scores", exact::RoundingPlace::kScore}}},
         {.op = "dispatch",
          .tensors = {{"x", "x"},
                      {"chosen", "chosen"},
                      {"scores", "scores"},
                      {"rows", "expert_input"},
                      {"row_token", "row_token"},
                      {"offsets", "offsets"}},
          .places = {{"rows", exact::RoundingPlace::kExpertInput}}},
         {.op = "expert_linear",
          .tensors = {{"x", "expert_input"},
                      {"weight", "gate"},
                      {"offsets", "offsets"},
                      {"y", "expert_gate"}},
          .places = {{"y", exact::RoundingPlace::kGate}}},
         {.op = "expert_linear",
          .tensors =
              {{"x", "expert_input"}, {"weight", "up"}, {"offsets", "offsets"}, {"y", "expert_up"}},
          .places = {{"y", exact::RoundingPlace::kUp}}},
         {.op = "swiglu",
          .tensors = {{"gate", "expert_gate"}, {"up", "expert_up"}, {"y", "expert_activation"}},
          .letters = {{'T', 'R'}},
          .places = {{"y", exact::RoundingPlace::kActivation}}},
         {.op = "expert_linear",
          .tensors = {{"x", "expert_activation"},
                      {"weight", "down"},
                      {"offsets", "offsets"},
                      {"y", "expert_output"}},
          .letters = {{'C', 'F'}, {'F', 'C'}},
          .places = {{"y", exact::RoundingPlace::kDown}}},
         {.op = "combine",
          .tensors = {{"rows", "expert_output"}, {"row_token", "row_token"}, {"y", "routed"}},
          .places = {{"y", exact::RoundingPlace::kRouted}}},
         {.op = "linear",
          .tensors = {{"x", "x"}, {"weight", "shared_gate"}, {"y", "shared_gated"}},
          .places = {{"y", exact::RoundingPlace::kGate}}},
         {.op = "linear",
          .tensors = {{"x", "x"}, {"weight", "shared_up"}, {"y", "shared_lifted"}},
          .places = {{"y", exact::RoundingPlace::kUp}}},
         {.op = "swiglu",
          .tensors = {{"gate", "shared_gated"},
                      {"up", "shared_lifted"},
                      {"y", "shared_activation"}},
          .places = {{"y", exact::RoundingPlace::kActivation}}},
         {.op = "linear",
          .tensors = {{"x", "shared_activation"}, {"weight", "shared_down"}, {"y", "shared"}},
          .letters = {{'C', 'F'}, {'F', 'C'}},
          .places = {{"y", exact::RoundingPlace::kShared}}},
         {.op = "residual_add", .tensors = {{"a", "shared"}, {"b", "routed"}, {"y", "y"}}}},
};
