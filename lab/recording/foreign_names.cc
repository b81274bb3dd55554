#include "lab/recording/foreign_names.h"

#include <algorithm>
#include <array>
#include <span>

#include "lab/recording/activation.h"
#include "reference/model/activation_paths.h"

namespace touchstone::lab {
namespace {

struct Row {
  std::string_view foreign, ours;
  int rank = 0;
};

constexpr std::array kTransformers = {
    Row{"model.embed_tokens", "embedding"},
    Row{"model.rotary_emb", "rope_table"},
    Row{"model.norm", "final_norm"},
    Row{"lm_head", "output/logits", 2},
};
constexpr std::array kTransformersLayer = {
    Row{"", "output"},
    Row{".input_layernorm", "attention_norm"},
    Row{".self_attn.q_proj", "attention/q"},
    Row{".self_attn.k_proj", "attention/k"},
    Row{".self_attn.v_proj", "attention/v"},
    Row{".self_attn.qk_norm.q.in", "attention/q_rope", 1},
    Row{".self_attn.qk_norm.k.in", "attention/k_rope", 1},
    Row{".self_attn.qk_norm.q", "attention/q_norm"},
    Row{".self_attn.qk_norm.k", "attention/k_norm"},
    Row{".self_attn.o_proj.in", "attention/heads"},
    Row{".self_attn.o_proj", "attention/output"},
    Row{".self_attn", "attention/output", 1},
    Row{".post_attention_layernorm", "feed_forward_norm"},
    Row{".feed_forward.gate_proj", "feed_forward/gate"},
    Row{".feed_forward.up_proj", "feed_forward/up"},
    Row{".feed_forward.router.logits", "feed_forward/router_logits"},
    Row{".feed_forward.router.scores", "feed_forward/scores"},
    Row{".feed_forward.router.chosen", "feed_forward/chosen"},
    Row{".feed_forward.experts.sum", "feed_forward/routed"},
    Row{".feed_forward.shared_expert.gate_proj", "feed_forward/shared_gate"},
    Row{".feed_forward.shared_expert.up_proj", "feed_forward/shared_up"},
    Row{".feed_forward.shared_expert", "feed_forward/shared"},
    Row{".feed_forward.shared_expert.down_proj", "feed_forward/shared", 1},
    Row{".feed_forward", "feed_forward/output"},
    Row{".feed_forward.down_proj", "feed_forward/output", 1},
};

constexpr std::array kMeta = {
    Row{"embed", "embedding"},
    Row{"norm", "final_norm"},
    Row{"output", "output/logits", 2},
};
constexpr std::array kMetaLayer = {
    Row{"", "output"},
    Row{".attention_norm", "attention_norm"},
    Row{".attention.wq", "attention/q"},
    Row{".attention.wk", "attention/k"},
    Row{".attention.wv", "attention/v"},
    Row{".attention.rope.q", "attention/q_rope"},
    Row{".attention.rope.k", "attention/k_rope"},
    Row{".attention.qk_norm.q", "attention/q_norm"},
    Row{".attention.qk_norm.k", "attention/k_norm"},
    Row{".attention.q_final", "attention/q_final"},
    Row{".attention.heads", "attention/heads"},
    Row{".attention", "attention/output"},
    Row{".ffn_norm", "feed_forward_norm"},
    Row{".router.logits", "feed_forward/router_logits"},
    Row{".router.scores", "feed_forward/scores"},
    Row{".router.chosen", "feed_forward/chosen"},
    Row{".routed", "feed_forward/routed"},
    Row{".shared_expert", "feed_forward/shared"},
    Row{".feed_forward", "feed_forward/output"},
};

const Row* FindRow(std::span<const Row> rows, std::string_view name) {
  const auto row =
      std::find_if(rows.begin(), rows.end(), [&](const Row& r) { return r.foreign == name; });
  return row == rows.end() ? nullptr : &*row;
}

// Cuts the prefix and the number after it; nothing where they are not there.
std::optional<int64_t> TakeIndex(std::string_view prefix, std::string_view* name) {
  if (!name->starts_with(prefix)) return std::nullopt;
  const std::string_view rest = name->substr(prefix.size());
  const size_t digits = std::min(rest.find('.'), rest.size());
  const auto index = ParseIndex(rest.substr(0, digits));
  if (index) *name = rest.substr(digits);
  return index;
}

// The path of q as attention takes it, and whether it has a path of its own.
RecordedName FinalQuery(const TextConfig& config, int64_t layer) {
  const std::string attention = LayerPath(layer) + "/attention/";
  if (layer >= static_cast<int64_t>(config.layers.size())) return {attention + "q"};
  if (HasTemperature(config, layer)) return {attention + "q_temperature"};
  if (HasQkNorm(config, layer)) return {attention + "q_norm", 2};
  const bool has_rope = config.layers[static_cast<size_t>(layer)].has_rope;
  return {attention + (has_rope ? "q_rope" : "q"), 2};
}

// rope.t.2.q with the layer's path, where the model says which layer it is.
std::optional<RecordedName> Rotated(std::string_view name, const TextConfig* config) {
  std::string_view part = name;
  const auto index = TakeIndex("rope.t.", &part);
  if (!index || (part != ".q" && part != ".k")) return std::nullopt;
  if (config != nullptr) {
    int64_t seen = 0;
    for (size_t layer = 0; layer < config->layers.size(); ++layer) {
      if (!config->layers[layer].has_rope || seen++ != *index) continue;
      return RecordedName{LayerPath(static_cast<int64_t>(layer)) +
                          (part == ".q" ? "/attention/q_rope" : "/attention/k_rope")};
    }
  }
  return RecordedName{std::string(name)};
}

}  // namespace

std::optional<RecordedName> FindForeignName(std::string_view name, const TextConfig* config,
                                            bool images) {
  constexpr std::string_view kPrefix = "language_model.";
  if (name == "fused_embeddings") {
    return images ? RecordedName{"fused_embedding"} : RecordedName{"embedding", 2};
  }
  if (const auto rotated = Rotated(name, config)) return rotated;
  if (const Row* row = FindRow(kMeta, name)) return RecordedName{std::string(row->ours), row->rank};
  std::string_view rest = name;
  std::optional<int64_t> layer = TakeIndex("layer.", &rest);
  const Row* row = layer ? FindRow(kMetaLayer, rest) : nullptr;
  if (!layer) {
    if (rest.starts_with(kPrefix)) rest.remove_prefix(kPrefix.size());
    if (const Row* whole = FindRow(kTransformers, rest)) {
      return RecordedName{std::string(whole->ours), whole->rank};
    }
    layer = TakeIndex("model.layers.", &rest);
    row = layer ? FindRow(kTransformersLayer, rest) : nullptr;
  }
  if (row == nullptr) return std::nullopt;
  RecordedName found{LayerPath(*layer) + "/" + std::string(row->ours), row->rank};
  if (row->ours == "attention/q_final") {
    if (config != nullptr) found = FinalQuery(*config, *layer);
    found.heads_first = true;
  }
  found.all_experts = row->ours == "feed_forward/scores";
  return found;
}

}  // namespace touchstone::lab
