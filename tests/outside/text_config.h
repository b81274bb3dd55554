// What a checkpoint's config.json says of a text model, as Hugging Face transformers writes it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace touchstone::outside {

// Decimals are in binary64 until an op takes them (rule N12).
struct TextConfig {
  int64_t channels = 0, layers = 0;
  int64_t heads = 0, key_heads = 0, head_width = 0;
  int64_t experts = 0, experts_a_token = 0;
  int64_t chunk = 0;  // of chunked layers
  bool qk_norm = false, temperature = false;
  double eps = 0.0, floor_scale = 0.0, attn_scale = 0.0;

  bool scaled_rope = false;  // llama3
  double theta = 0.0, factor = 1.0, low = 1.0, high = 1.0, original = 1.0;

  // One a layer.
  std::vector<bool> has_rope, is_chunked, is_mixture;

  bool HasRope(int64_t layer) const { return has_rope.at(static_cast<size_t>(layer)); }
  bool IsMixture(int64_t layer) const { return is_mixture.at(static_cast<size_t>(layer)); }
  // Positions a chunk; 0 where the layer's attention is global.
  int64_t Chunk(int64_t layer) const {
    return is_chunked.at(static_cast<size_t>(layer)) ? chunk : 0;
  }
};

// Throws std::runtime_error where the text is no such configuration.
TextConfig ReadTextConfig(const std::string& json);

}  // namespace touchstone::outside
