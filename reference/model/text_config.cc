#include "reference/model/text_config.h"

#include "reference/formats/require.h"

namespace touchstone {
namespace {

const TextLayer& LayerOf(const TextConfig& config, int64_t layer) {
  TOUCHSTONE_REQUIRE(layer >= 0 && layer < static_cast<int64_t>(config.layers.size()));
  return config.layers[static_cast<size_t>(layer)];
}

// Gate, up and down.
int64_t SwigluParameters(const TextConfig& config, int64_t width) {
  return 3 * config.channels * width;
}

int64_t ParametersOf(const TextConfig& config, int64_t layer, int64_t routed_experts) {
  const int64_t norms = 2 * config.channels;
  const int64_t q_and_o = 2 * config.channels * QueryWidth(config);
  const int64_t k_and_v = 2 * config.channels * KvWidth(config);
  const int64_t attention = norms + q_and_o + k_and_v;
  if (!LayerOf(config, layer).is_moe) {
    return attention + SwigluParameters(config, config.dense_width);
  }
  const int64_t router = config.channels * config.experts;
  const int64_t shared_and_routed = 1 + routed_experts;
  return attention + router + shared_and_routed * SwigluParameters(config, config.expert_width);
}

int64_t ParametersOf(const TextConfig& config, int64_t routed_experts) {
  const int64_t embedding = config.vocabulary * config.channels;
  int64_t count = embedding + config.channels;  // the final norm
  if (!config.tied_lm_head) count += embedding;
  for (int64_t layer = 0; layer < static_cast<int64_t>(config.layers.size()); ++layer) {
    count += ParametersOf(config, layer, routed_experts);
  }
  return count;
}

// What the published text models have in common. Sources: the config.json of Scout and Maverick as
// other projects carry it (the originals are gated); for the temperature's constants llama-models
// 0.3.0, models/llama4/args.py.
TextConfig Published() {
  TextConfig config;
  config.vocabulary = 202048;
  config.channels = 5120;
  config.heads = 40;
  config.kv_heads = 8;
  config.head_width = 128;
  config.dense_width = 16384;
  config.experts_a_token = 1;
  config.expert_width = 8192;
  config.rms_norm_eps = 1e-5;
  config.rope.theta = 500000.0;
  config.attn_temperature_tuning = true;
  config.floor_scale = 8192.0;
  config.attn_scale = 0.1;
  config.attention_chunk_size = 8192;
  return config;
}

constexpr int64_t kPublishedLayers = 48;

}  // namespace

int64_t QueryWidth(const TextConfig& config) { return config.heads * config.head_width; }

int64_t KvWidth(const TextConfig& config) { return config.kv_heads * config.head_width; }

int64_t KvHeadOf(const TextConfig& config, int64_t head) {
  TOUCHSTONE_REQUIRE(config.kv_heads > 0 && config.heads % config.kv_heads == 0);
  TOUCHSTONE_REQUIRE(head >= 0 && head < config.heads);
  return head / (config.heads / config.kv_heads);
}

int64_t ChunkOf(const TextConfig& config, int64_t layer) {
  return LayerOf(config, layer).is_chunked ? config.attention_chunk_size : 0;
}

bool HasQkNorm(const TextConfig& config, int64_t layer) {
  return config.use_qk_norm && LayerOf(config, layer).has_rope;
}

bool HasTemperature(const TextConfig& config, int64_t layer) {
  return config.attn_temperature_tuning && !LayerOf(config, layer).has_rope;
}

std::vector<TextLayer> PatternedLayers(int64_t count, int64_t nope_interval, bool chunks,
                                       int64_t moe_interval) {
  TOUCHSTONE_REQUIRE(count >= 0 && nope_interval >= 0 && moe_interval >= 0);
  std::vector<TextLayer> layers(static_cast<size_t>(count));
  for (int64_t l = 0; l < count; ++l) {
    TextLayer& layer = layers[static_cast<size_t>(l)];
    layer.has_rope = nope_interval == 0 || (l + 1) % nope_interval != 0;
    layer.is_chunked = layer.has_rope && chunks;
    layer.is_moe = moe_interval != 0 && (l + 1) % moe_interval == 0;
  }
  return layers;
}

int64_t LayerParameterCount(const TextConfig& config, int64_t layer) {
  return ParametersOf(config, layer, config.experts);
}

int64_t ParameterCount(const TextConfig& config) { return ParametersOf(config, config.experts); }

int64_t ActiveParameterCount(const TextConfig& config) {
  return ParametersOf(config, config.experts_a_token);
}

TextConfig Scout() {
  TextConfig config = Published();
  config.experts = 16;
  config.use_qk_norm = true;
  config.rope.llama3 = true;
  config.rope.factor = 16.0;
  config.layers = PatternedLayers(kPublishedLayers, 4, true, 1);
  return config;
}

TextConfig Maverick() {
  TextConfig config = Published();
  config.experts = 128;
  config.layers = PatternedLayers(kPublishedLayers, 4, true, 2);
  return config;
}

TextConfig LlamaGuard4() {
  TextConfig config = Scout();
  config.dense_width = config.expert_width;  // the shared expert is what is left of a layer's MoE
  config.experts = config.experts_a_token = config.expert_width = 0;
  config.attention_chunk_size = 0;
  config.layers = PatternedLayers(kPublishedLayers, 0, false, 0);
  return config;
}

}  // namespace touchstone
