// Attention: grouped query, causal over all earlier positions (global) or over those of the query's
// own chunk (chunked), softmax by blocks of absolute position.
//
//   q          (T, H, D)  storage  in, after RoPE and QK norm, or after temperature
//   keys       (S, G, D)  storage  in: key j is the one of position j
//   values     (S, G, D)  storage  in
//   positions  (T)        i64      in: the position of each query in its own sequence (N7)
//   chunk                 i64      K, in positions; 0: global
//   y          (T, H, D)  storage  out; overlaps no input
//
//   query head h reads key and value head g = h / (H / G)
//   visible to position p:  j < S,  j <= p,  and j / K == p / K where chunked
//   s[j] = (chain over d of q[d] * keys[j,d]) * RN32(1 / sqrt(D))        N3, then one product
//   keys are cut into blocks of 512 by absolute position; in a block, over its visible j ascending:
//     m_b = max s[j]  p[j] = exp(s[j] - m_b)  l_b = l_b + p[j]  o_b[d] = fma(p[j], v[j,d], o_b[d])
//   the first block with a visible key gives (m, l, o); each later one, every step rounded, no fma:
//     n = max(m, m_b)  a = exp(m - n)  c = exp(m_b - n)  l = l * a + l_b * c  o = o * a + o_b * c
//     m = n
//   y = RN(o / l)
//
// Rounding places: one, at the end; scores, weights and sums are binary32. A masked key is skipped,
// never added as -inf; without any visible key y is +0. Prefill and decode see the same blocks, so
// they give the same bits. A NaN score makes its query's head NaN (N6).
// A score of -inf weighs 0 beside a finite one of its block; a block whose scores are all -inf, or
// a score of +inf, makes the head NaN. H is a multiple of G, D > 0,
// positions and chunk are not negative; anything else is a contract violation. Threads split the
// queries.
// Checked against: transformers 5.23.0, models/llama4/modeling_llama4.py, eager_attention_forward
// with masking_utils.py; llama-models 0.3.0, models/llama4/model.py, Attention.forward (prefill;
// its decode ignores the chunk mask).
#pragma once

#include "reference/formats/bf16.h"
#include "reference/formats/view.h"

namespace touchstone {

template <typename Storage>
void Attention(View<const Storage, 'T', 'H', 'D'> q, View<const Storage, 'S', 'G', 'D'> keys,
               View<const Storage, 'S', 'G', 'D'> values, View<const int64_t, 'T'> positions,
               int64_t chunk, View<Storage, 'T', 'H', 'D'> y, int threads = 1);

}  // namespace touchstone
