// Where a checkpoint keeps the weights of a text model: the names and shapes of its tensors, in the
// two worlds that write Llama 4 checkpoints. Neither permutes the rows of q and k: both rotate
// adjacent pairs.
//
//   Hugging Face (without language_model.)        Meta, as released
//   model.embed_tokens.weight          (V, C)     tok_embeddings.weight
//   model.norm.weight                  (C)        norm.weight
//   lm_head.weight, unless tied        (V, C)     output.weight
//   model.layers.0.                               layers.0.
//     input_layernorm.weight           (C)          attention.wqkv.layer_norm_weight
//     self_attn.q_proj.weight          (H D, C)     attention.wqkv.weight (H D + 2 G D, C): q, k, v
//     self_attn.k_proj.weight          (G D, C)
//     self_attn.v_proj.weight          (G D, C)
//     self_attn.o_proj.weight          (C, H D)     attention.wo.weight
//   dense
//     post_attention_layernorm.weight  (C)          feed_forward.mlp.layer_norm_weight
//     feed_forward.gate_proj.weight    (F, C)       feed_forward.mlp.fc1_weight (2 F, C): gate, up
//     feed_forward.up_proj.weight      (F, C)
//     feed_forward.down_proj.weight    (C, F)       feed_forward.mlp.fc2_weight
//   MoE
//     post_attention_layernorm.weight  (C)          feed_forward.norm.weight
//     feed_forward.router.weight       (E, C)       feed_forward.router_DE (C, E)
//     feed_forward.experts.                         feed_forward.experts.
//       gate_up_proj  (E, C, 2 F): gate, up           moe_w_in_eD_F (E C, F): gate
//                                                     moe_w_swiglu_eD_F (E C, F): up
//       down_proj     (E, F, C)                       moe_w_out_eF_D (E F, C)
//     feed_forward.shared_expert.                   feed_forward.
//       gate_proj.weight               (F, C)         w_in_shared_FD.weight
//       up_proj.weight                 (F, C)         w_swiglu_FD.weight
//       down_proj.weight               (C, F)         w_out_shared_DF.weight
//
// Checked against: transformers 5.23.0, models/llama4; llama-models 0.3.0, models/llama4, whose
// logits on weights renamed by this table are bit for bit those of transformers.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "reference/checkpoint/sharded.h"
#include "reference/model/text_config.h"
#include "reference/model/text_weights.h"

namespace touchstone::checkpoint {

enum class NameWorld { kHuggingFace, kMeta };
std::string_view Name(NameWorld world);

enum class TextPart {
  kEmbedding,
  kNorms,
  kAttention,
  kDense,
  kRouter,
  kRoutedExperts,
  kSharedExperts,
  kLmHead,
};
std::string_view Name(TextPart part);

// So many rows of a stored tensor are this weight of a layer.
struct HeldWeight {
  Tensor LayerWeights::*weight = nullptr;
  int64_t rows = 0;
};

struct TextTensor {
  std::string name;
  std::vector<int64_t> shape;
  TextPart part = TextPart::kEmbedding;
  int64_t layer = -1;             // -1: of none
  std::vector<HeldWeight> holds;  // one under the other; none where it is no weight of LayerWeights
  bool is_transposed = false;     // stored (inputs, outputs)
};

// All tensors of the model in forward order; of one layer; and by what they are.
std::vector<TextTensor> TextTensors(const TextConfig& config, NameWorld world);
std::vector<TextTensor> LayerTensors(const TextConfig& config, int64_t layer, NameWorld world);
std::string EmbeddingName(NameWorld world);
std::string FinalNormName(NameWorld world);
std::string LmHeadName(NameWorld world);

// Routed experts: gate and up are the halves of one tensor's last axis, or a tensor each.
struct ExpertNames {
  std::string gate_up;   // empty in Meta's world
  std::string gate, up;  // empty in Hugging Face's
  std::string down;
};
ExpertNames ExpertNamesOf(int64_t layer, NameWorld world);

// By the name of the embedding. Throws BadCheckpoint where neither world's is there.
NameWorld WorldOf(const Checkpoint& checkpoint);

// From the headers alone: every tensor of the configuration is there with its shape, in F32 or
// BF16, and there is no other, except for those of a vision tower and, in Meta's world, for
// statistics of the training and a table of angles that nothing reads. A checkpoint of a tied model
// has no lm_head. Throws BadCheckpoint.
void RequireTextTensors(const Checkpoint& checkpoint, const TextConfig& config);

// Whether the tensor belongs to the vision tower or to its projection into the text model.
bool IsVisionTensor(std::string_view name);

}  // namespace touchstone::checkpoint
