// The names of everything that a text model computes: paths in traces, in reports and in the
// manifest of golden hashes. Every tensor has one row a token (B and T stand before the extents
// given here). B batch, T tokens, C width, H query heads, G key/value heads, D head width, J = D/2
// pairs, E experts, A experts a token, F feed-forward width, V vocabulary.
//
//   embedding                              (C)
//   rope_table                             (J, 2)  f32 in every recipe: cosine, sine
//   layer.00/attention_norm                (C)
//   layer.00/attention/q, k, v             (H, D), (G, D), (G, D)     projections
//   layer.00/attention/q_rope, k_rope      on layers with RoPE
//   layer.00/attention/q_norm, k_norm      on layers with QK norm
//   layer.00/attention/q_temperature       on layers with temperature
//   layer.00/attention/heads               (H, D)  sum over values, before the output projection
//   layer.00/attention/output              (C)     after it
//   layer.00/attention_residual            (C)     the stream after attention
//   layer.00/feed_forward_norm             (C)
//   dense layers
//   layer.00/feed_forward/gate, up, activation     (F)
//   MoE layers
//   layer.00/feed_forward/router_logits    (E)
//   layer.00/feed_forward/chosen           (A)  i64, best first
//   layer.00/feed_forward/scores           (A)     in the order of chosen
//   layer.00/feed_forward/expert_input     (A, C)  x * score, in the order of chosen
//   layer.00/feed_forward/expert_gate, expert_up, expert_activation   (A, F)
//   layer.00/feed_forward/expert_down      (A, C)
//   layer.00/feed_forward/routed           (C)     sum over the chosen experts
//   layer.00/feed_forward/shared_gate, shared_up, shared_activation   (F)
//   layer.00/feed_forward/shared           (C)
//   both
//   layer.00/feed_forward/output           (C)     dense: down; MoE: shared + routed
//   layer.00/output                        (C)     the stream after the layer
//   final_norm                             (C)
//   output/logits                          (V)  f32 in every recipe
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "reference/model/text_config.h"

namespace touchstone {

// "layer.03"
std::string LayerPath(int64_t layer);

// All paths of a model, in forward order.
std::vector<std::string> ActivationPaths(const TextConfig& config);

}  // namespace touchstone
