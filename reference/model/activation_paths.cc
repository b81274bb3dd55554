#include "reference/model/activation_paths.h"

namespace touchstone {

std::string LayerPath(int64_t layer) {
  return std::string(layer < 10 ? "layer.0" : "layer.") + std::to_string(layer);
}

std::vector<std::string> ActivationPaths(const TextConfig& config) {
  std::vector<std::string> paths = {"embedding"};
  const auto add = [&paths](const std::string& prefix, std::initializer_list<const char*> names) {
    for (const char* name : names) paths.push_back(prefix + name);
  };
  bool any_rope = false;
  for (const TextLayer& layer : config.layers) any_rope |= layer.has_rope;
  if (any_rope) paths.emplace_back("rope_table");
  for (int64_t l = 0; l < static_cast<int64_t>(config.layers.size()); ++l) {
    const TextLayer& layer = config.layers[static_cast<size_t>(l)];
    const std::string p = LayerPath(l), attention = p + "/attention/", ffn = p + "/feed_forward/";
    add(p, {"/attention_norm"});
    add(attention, {"q", "k", "v"});
    if (layer.has_rope) add(attention, {"q_rope", "k_rope"});
    if (HasQkNorm(config, l)) add(attention, {"q_norm", "k_norm"});
    if (HasTemperature(config, l)) add(attention, {"q_temperature"});
    add(attention, {"heads", "output"});
    add(p, {"/attention_residual", "/feed_forward_norm"});
    if (layer.is_moe) {
      add(ffn, {"router_logits", "chosen", "scores", "expert_input", "expert_gate", "expert_up",
                "expert_activation", "expert_down", "routed", "shared_gate", "shared_up",
                "shared_activation", "shared"});
    } else {
      add(ffn, {"gate", "up", "activation"});
    }
    add(ffn, {"output"});
    add(p, {"/output"});
  }
  add("", {"final_norm", "output/logits"});
  return paths;
}

}  // namespace touchstone
