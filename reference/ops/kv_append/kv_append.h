// KV append: store the keys and values of new tokens at their positions.
//
//   k, v        (T, G, D)  storage  in
//   first                  i64      the position of token 0
//   keys,values (S, G, D)  storage  in and out: rows [first, first + T) are written, no other
//
//   keys[first + t, g, d] = k[t, g, d], values likewise
//
// Rounding places: none, a copy of bits. What is cached is the key after RoPE and QK norm. The slot
// of a token is its position. first >= 0 and first + T <= S, else a contract violation and nothing
// is written. k, v and the caches do not overlap.
// Checked against: llama-models 0.3.0, models/llama4/model.py, Attention.forward (cache_k,
// cache_v); transformers 5.23.0, cache_utils.py, DynamicLayer.update.
#pragma once

#include "reference/formats/bf16.h"
#include "reference/formats/view.h"

namespace touchstone {

template <typename Storage>
void KvAppend(View<const Storage, 'T', 'G', 'D'> k, View<const Storage, 'T', 'G', 'D'> v,
              int64_t first, View<Storage, 'S', 'G', 'D'> keys,
              View<Storage, 'S', 'G', 'D'> values);

}  // namespace touchstone
