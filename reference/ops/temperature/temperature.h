// Attention temperature: queries of layers without RoPE grow with the logarithm of their position,
// so that attention stays sharp over millions of keys.
//
//   q            (T, H, D)  storage  in
//   positions    (T)        i64      in, the index in the token's own sequence (N7)
//   floor_scale, attn_scale  f32     the configuration's decimals, rounded once (N12)
//   y            (T, H, D)  storage  out; may be the same memory as q
//
//   temperature = log(floor(float(position + 1) / floor_scale) + 1) * attn_scale + 1
//   y           = RN(q * temperature)
//
// Every step of temperature is rounded to binary32, no fma; it is f32 in every recipe. The natural
// logarithm, correctly rounded (N5). position + 1: with floor_scale 8192 the first step is at
// position 8191. Positions from 0 to 2^24 - 2 (position + 1 is exact in binary32) and a positive
// floor_scale, else a contract violation.
// Checked against: transformers 5.23.0, models/llama4/modeling_llama4.py, Llama4TextAttention;
// llama-models 0.3.0, models/llama4/model.py, Attention.forward.
#pragma once

#include "reference/formats/bf16.h"
#include "reference/formats/view.h"

namespace touchstone {

template <typename Storage>
void Temperature(View<const Storage, 'T', 'H', 'D'> q, View<const int64_t, 'T'> positions,
                 float floor_scale, float attn_scale, View<Storage, 'T', 'H', 'D'> y);

}  // namespace touchstone
