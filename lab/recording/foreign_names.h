// The names under which other implementations record: transformers' modules and Meta's, with the
// names that their recorders give to what lies between modules.
//
// Checked against: transformers 5.23.0, models/llama4/modeling_llama4.py; llama-models 0.3.0,
// models/llama4/model.py, moe.py and ffn.py.
//
//   transformers (with or without language_model. before)     Meta
//   model.embed_tokens                                        embed
//                                                             fused_embeddings
//   model.rotary_emb
//   model.layers.3.input_layernorm                            layer.3.attention_norm
//   model.layers.3.self_attn.q_proj, k_proj, v_proj           layer.3.attention.wq, wk, wv
//   rope.t.2.q, k: of the text layers with RoPE, from 0       layer.3.attention.rope.q, k
//   model.layers.3.self_attn.qk_norm.q, k                     layer.3.attention.qk_norm.q, k
//                                                             layer.3.attention.q_final
//   model.layers.3.self_attn.o_proj.in                        layer.3.attention.heads
//   model.layers.3.self_attn.o_proj                           layer.3.attention
//   model.layers.3.post_attention_layernorm                   layer.3.ffn_norm
//   model.layers.3.feed_forward.gate_proj, up_proj
//   model.layers.3.feed_forward.router.logits, scores         layer.3.router.logits, scores
//   model.layers.3.feed_forward.router.chosen                 layer.3.router.chosen
//   model.layers.3.feed_forward.experts.sum                   layer.3.routed
//   model.layers.3.feed_forward.shared_expert.gate_proj, up_proj
//   model.layers.3.feed_forward.shared_expert                 layer.3.shared_expert
//   model.layers.3.feed_forward                               layer.3.feed_forward
//   model.layers.3                                            layer.3
//   model.norm                                                norm
//   lm_head                                                   output
//
// Copies: self_attn of o_proj; qk_norm.q.in and k.in of what RoPE gave; a down_proj of the module
// that it ends; lm_head and Meta's output of output/logits; fused_embeddings of embed where there
// are no images; q_final of the last of q_norm, q_rope, q that the layer has.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "reference/model/text_config.h"

namespace touchstone::lab {

struct RecordedName {
  std::string path;          // of activation_paths.h
  int rank = 0;              // of several names of one path the lowest is the tensor, others copies
  bool heads_first = false;  // (B, H, T, D)
  bool all_experts = false;  // scores (T, E), 0 where not chosen
};

// Where the model is not known (nullptr), rope.t.2.q is its own path, and q_final is
// layer.NN/attention/q_final. Nothing for what is no tensor of a text model. The layer may be one
// that the model has not; so may the path. `images`: fused_embeddings is no copy.
std::optional<RecordedName> FindForeignName(std::string_view name, const TextConfig* config,
                                            bool images);

}  // namespace touchstone::lab
