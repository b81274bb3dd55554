#include "tests/outside/text_config.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <stdexcept>

namespace touchstone::outside {

TextConfig ReadTextConfig(const std::string& json) try {
  const nlohmann::json config = nlohmann::json::parse(json);
  TextConfig text;
  text.channels = config.at("hidden_size");
  text.layers = config.at("num_hidden_layers");
  text.heads = config.at("num_attention_heads");
  text.key_heads = config.at("num_key_value_heads");
  text.head_width = config.at("head_dim");
  text.experts = config.at("num_local_experts");
  text.experts_a_token = config.at("num_experts_per_tok");
  text.chunk = config.at("attention_chunk_size");
  text.qk_norm = config.at("use_qk_norm");
  text.temperature = config.at("attn_temperature_tuning");
  text.eps = config.at("rms_norm_eps");
  text.floor_scale = config.at("floor_scale");
  text.attn_scale = config.at("attn_scale");

  const nlohmann::json& rope = config.at("rope_parameters");
  text.theta = rope.at("rope_theta");
  text.scaled_rope = rope.at("rope_type") == "llama3";
  if (text.scaled_rope) {
    text.factor = rope.at("factor");
    text.low = rope.at("low_freq_factor");
    text.high = rope.at("high_freq_factor");
    text.original = rope.at("original_max_position_embeddings");
  }

  const auto mixtures = config.at("moe_layers").get<std::vector<int64_t>>();
  for (int64_t layer = 0; layer < text.layers; ++layer) {
    const size_t i = static_cast<size_t>(layer);
    text.has_rope.push_back(config.at("no_rope_layers").at(i) == 1);  // 1: it does have RoPE
    text.is_chunked.push_back(config.at("layer_types").at(i) == "chunked_attention");
    text.is_mixture.push_back(std::count(mixtures.begin(), mixtures.end(), layer) > 0);
  }
  return text;
} catch (const nlohmann::json::exception& error) {
  throw std::runtime_error(std::string("config.json of a text model: ") + error.what());
}

}  // namespace touchstone::outside
