#include "reference/checkpoint/text_tensors.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <set>
#include <utility>

#include "reference/checkpoint/bad_checkpoint.h"
#include "reference/formats/require.h"

namespace touchstone::checkpoint {
namespace {

std::string LayerPrefix(int64_t layer, NameWorld world) {
  return (world == NameWorld::kMeta ? "layers." : "model.layers.") + std::to_string(layer) + ".";
}

std::string Extents(const std::vector<int64_t>& shape) {
  std::string text = "(";
  for (size_t i = 0; i < shape.size(); ++i) text += (i == 0 ? "" : ", ") + std::to_string(shape[i]);
  return text + ")";
}

// The tensors of one layer, in the order in which they are added.
class LayerList {
 public:
  LayerList(int64_t layer, NameWorld world) : layer_(layer), prefix_(LayerPrefix(layer, world)) {}

  TextTensor& Add(TextPart part, const std::string& name, std::vector<int64_t> shape,
                  std::vector<HeldWeight> holds) {
    tensors_.push_back({prefix_ + name, std::move(shape), part, layer_, std::move(holds)});
    return tensors_.back();
  }
  // One weight and nothing else.
  void Add(TextPart part, const std::string& name, std::vector<int64_t> shape,
           Tensor LayerWeights::*weight) {
    const int64_t rows = shape[0];
    Add(part, name, std::move(shape), {{weight, rows}});
  }
  std::vector<TextTensor> Take() { return std::move(tensors_); }

 private:
  int64_t layer_;
  std::string prefix_;
  std::vector<TextTensor> tensors_;
};

using W = LayerWeights;

std::vector<TextTensor> HuggingFaceLayer(const TextConfig& config, int64_t layer, bool is_moe) {
  const int64_t C = config.channels, HD = QueryWidth(config), GD = KvWidth(config);
  const int64_t E = config.experts, F = is_moe ? config.expert_width : config.dense_width;
  LayerList list(layer, NameWorld::kHuggingFace);
  list.Add(TextPart::kNorms, "input_layernorm.weight", {C}, &W::attention_norm);
  list.Add(TextPart::kAttention, "self_attn.q_proj.weight", {HD, C}, &W::q);
  list.Add(TextPart::kAttention, "self_attn.k_proj.weight", {GD, C}, &W::k);
  list.Add(TextPart::kAttention, "self_attn.v_proj.weight", {GD, C}, &W::v);
  list.Add(TextPart::kAttention, "self_attn.o_proj.weight", {C, HD}, &W::o);
  list.Add(TextPart::kNorms, "post_attention_layernorm.weight", {C}, &W::feed_forward_norm);
  std::string ffn = "feed_forward.";
  if (is_moe) {
    list.Add(TextPart::kRouter, ffn + "router.weight", {E, C}, &W::router);
    list.Add(TextPart::kRoutedExperts, ffn + "experts.gate_up_proj", {E, C, 2 * F},
             std::vector<HeldWeight>());
    list.Add(TextPart::kRoutedExperts, ffn + "experts.down_proj", {E, F, C},
             std::vector<HeldWeight>());
    ffn += "shared_expert.";
  }
  const TextPart part = is_moe ? TextPart::kSharedExperts : TextPart::kDense;
  list.Add(part, ffn + "gate_proj.weight", {F, C}, &W::gate);
  list.Add(part, ffn + "up_proj.weight", {F, C}, &W::up);
  list.Add(part, ffn + "down_proj.weight", {C, F}, &W::down);
  return list.Take();
}

std::vector<TextTensor> MetaLayer(const TextConfig& config, int64_t layer, bool is_moe) {
  const int64_t C = config.channels, HD = QueryWidth(config), GD = KvWidth(config);
  const int64_t E = config.experts, F = is_moe ? config.expert_width : config.dense_width;
  LayerList list(layer, NameWorld::kMeta);
  list.Add(TextPart::kNorms, "attention.wqkv.layer_norm_weight", {C}, &W::attention_norm);
  list.Add(TextPart::kAttention, "attention.wqkv.weight", {HD + 2 * GD, C},
           {{&W::q, HD}, {&W::k, GD}, {&W::v, GD}});
  list.Add(TextPart::kAttention, "attention.wo.weight", {C, HD}, &W::o);
  const std::string ffn = "feed_forward.";
  if (!is_moe) {
    list.Add(TextPart::kNorms, ffn + "mlp.layer_norm_weight", {C}, &W::feed_forward_norm);
    list.Add(TextPart::kDense, ffn + "mlp.fc1_weight", {2 * F, C}, {{&W::gate, F}, {&W::up, F}});
    list.Add(TextPart::kDense, ffn + "mlp.fc2_weight", {C, F}, &W::down);
    return list.Take();
  }
  list.Add(TextPart::kNorms, ffn + "norm.weight", {C}, &W::feed_forward_norm);
  list.Add(TextPart::kRouter, ffn + "router_DE", {C, E}, {{&W::router, C}}).is_transposed = true;
  for (const char* name : {"moe_w_in_eD_F", "moe_w_swiglu_eD_F"}) {
    list.Add(TextPart::kRoutedExperts, ffn + "experts." + name, {E * C, F},
             std::vector<HeldWeight>());
  }
  list.Add(TextPart::kRoutedExperts, ffn + "experts.moe_w_out_eF_D", {E * F, C},
           std::vector<HeldWeight>());
  list.Add(TextPart::kSharedExperts, ffn + "w_in_shared_FD.weight", {F, C}, &W::gate);
  list.Add(TextPart::kSharedExperts, ffn + "w_swiglu_FD.weight", {F, C}, &W::up);
  list.Add(TextPart::kSharedExperts, ffn + "w_out_shared_DF.weight", {C, F}, &W::down);
  return list.Take();
}

// In released checkpoints of Meta, and read by none of its code.
bool IsUnreadByMeta(std::string_view name) {
  constexpr std::array kUnread{".feed_forward.expert_activation_DE",
                               ".feed_forward.global_gate_stats_3E",
                               ".feed_forward.running_gate_stats_3E"};
  return name == "rope.freqs" || std::any_of(kUnread.begin(), kUnread.end(), [name](auto suffix) {
           return name.ends_with(suffix);
         });
}

// Why the configuration has no tensor of this name, in words that end a message.
std::string WhyUnknown(const TextConfig& config, std::string_view name, NameWorld world) {
  const std::string prefix = world == NameWorld::kMeta ? "layers." : "model.layers.";
  int64_t layer = -1;
  if (name.starts_with(prefix)) {
    std::from_chars(name.data() + prefix.size(), name.data() + name.size(), layer);
  }
  if (layer < 0) return "expected no such tensor in a text model with the names of ";
  const auto layers = static_cast<int64_t>(config.layers.size());
  if (layer >= layers) {
    return "expected layers 0 to " + std::to_string(layers - 1) +
           ", as the configuration has, with the names of ";
  }
  return std::string("expected no such tensor in layer ") + std::to_string(layer) + ", which is " +
         (config.layers[static_cast<size_t>(layer)].is_moe ? "MoE" : "dense") +
         " by the configuration, with the names of ";
}

}  // namespace

std::string_view Name(NameWorld world) {
  return world == NameWorld::kMeta ? "Meta" : "Hugging Face";
}

std::string_view Name(TextPart part) {
  switch (part) {
    case TextPart::kEmbedding:
      return "embedding";
    case TextPart::kNorms:
      return "norms";
    case TextPart::kAttention:
      return "attention";
    case TextPart::kDense:
      return "dense feed-forward";
    case TextPart::kRouter:
      return "router";
    case TextPart::kRoutedExperts:
      return "routed experts";
    case TextPart::kSharedExperts:
      return "shared experts";
    case TextPart::kLmHead:
      return "lm_head";
  }
  return "unknown";
}

std::string EmbeddingName(NameWorld world) {
  return world == NameWorld::kMeta ? "tok_embeddings.weight" : "model.embed_tokens.weight";
}

std::string FinalNormName(NameWorld world) {
  return world == NameWorld::kMeta ? "norm.weight" : "model.norm.weight";
}

std::string LmHeadName(NameWorld world) {
  return world == NameWorld::kMeta ? "output.weight" : "lm_head.weight";
}

ExpertNames ExpertNamesOf(int64_t layer, NameWorld world) {
  const std::string experts = LayerPrefix(layer, world) + "feed_forward.experts.";
  if (world == NameWorld::kMeta) {
    return {"", experts + "moe_w_in_eD_F", experts + "moe_w_swiglu_eD_F",
            experts + "moe_w_out_eF_D"};
  }
  return {experts + "gate_up_proj", "", "", experts + "down_proj"};
}

std::vector<TextTensor> LayerTensors(const TextConfig& config, int64_t layer, NameWorld world) {
  TOUCHSTONE_REQUIRE(layer >= 0 && layer < static_cast<int64_t>(config.layers.size()));
  const bool is_moe = config.layers[static_cast<size_t>(layer)].is_moe;
  return world == NameWorld::kMeta ? MetaLayer(config, layer, is_moe)
                                   : HuggingFaceLayer(config, layer, is_moe);
}

std::vector<TextTensor> TextTensors(const TextConfig& config, NameWorld world) {
  const int64_t C = config.channels, V = config.vocabulary;
  std::vector<TextTensor> tensors;
  tensors.push_back({EmbeddingName(world), {V, C}, TextPart::kEmbedding, -1, {}});
  for (int64_t layer = 0; layer < static_cast<int64_t>(config.layers.size()); ++layer) {
    for (TextTensor& tensor : LayerTensors(config, layer, world)) {
      tensors.push_back(std::move(tensor));
    }
  }
  tensors.push_back({FinalNormName(world), {C}, TextPart::kNorms, -1, {}});
  if (!config.tied_lm_head) {
    tensors.push_back({LmHeadName(world), {V, C}, TextPart::kLmHead, -1, {}});
  }
  return tensors;
}

NameWorld WorldOf(const Checkpoint& checkpoint) {
  for (const NameWorld world : {NameWorld::kHuggingFace, NameWorld::kMeta}) {
    if (checkpoint.Has(EmbeddingName(world))) return world;
  }
  throw BadCheckpoint(checkpoint.folder() + ": no embedding, expected " +
                      EmbeddingName(NameWorld::kHuggingFace) + " (Hugging Face) or " +
                      EmbeddingName(NameWorld::kMeta) + " (Meta)");
}

bool IsVisionTensor(std::string_view name) {
  constexpr std::array kPrefixes{"vision_model.", "multi_modal_projector.", "vision_embeddings.",
                                 "vision_projection."};
  return std::any_of(kPrefixes.begin(), kPrefixes.end(),
                     [name](auto prefix) { return name.starts_with(prefix); });
}

void RequireTextTensors(const Checkpoint& checkpoint, const TextConfig& config) {
  const NameWorld world = WorldOf(checkpoint);
  std::set<std::string> known;
  for (TextTensor& expected : TextTensors(config, world)) {
    const auto found = checkpoint.tensors().find(expected.name);
    if (found == checkpoint.tensors().end()) {
      throw BadCheckpoint(checkpoint.folder() + ": " + Quoted(expected.name) +
                          " is absent, expected shape " + Extents(expected.shape) +
                          " by the configuration");
    }
    const Stored& stored = found->second;
    if (stored.shape != expected.shape) {
      throw BadCheckpoint(stored.shard + ": " + Quoted(stored.name) + " has shape " +
                          Extents(stored.shape) + ", expected " + Extents(expected.shape) +
                          " by the configuration");
    }
    if (stored.dtype != "F32" && stored.dtype != "BF16") {
      throw BadCheckpoint(stored.shard + ": " + Quoted(stored.name) + " has dtype " + stored.dtype +
                          ", expected F32 or BF16");
    }
    known.insert(std::move(expected.name));
  }
  for (const auto& [name, stored] : checkpoint.tensors()) {
    if (known.count(name) != 0 || IsVisionTensor(name)) continue;
    if (world == NameWorld::kMeta && IsUnreadByMeta(name)) continue;
    if (name == LmHeadName(world)) {
      throw BadCheckpoint(stored.shard + ": " + Quoted(stored.name) +
                          " is there, expected none: by the configuration (tie_word_embeddings) "
                          "the embedding takes its place");
    }
    throw BadCheckpoint(stored.shard + ": " + Quoted(stored.name) + " is unknown, " +
                        WhyUnknown(config, name, world) + std::string(Name(world)));
  }
}

}  // namespace touchstone::checkpoint
