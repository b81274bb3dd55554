// RoPE table: cosine and sine of every pair's angle at every position asked for.
//
//   f          (J)        f32  in, radians a position
//   positions  (T)        i64  in, the index in the token's own sequence, first real token 0 (N7)
//   table      (T, J, 2)  f32  out: cosine, then sine
//
//   angle = RN32(float(position) * f[j])        compulsory in every contract: one ulp of f is
//   table = cos(angle), sin(angle)              half a radian at position 10 million
//
// Correctly rounded functions (N5); f32 in every recipe. Positions from 0 to 2^24 - 1 (exact in
// binary32, above Scout's 10,485,759) with |angle| < 2^24; anything else is a contract violation.
// Checked against: transformers 5.23.0, models/llama4/modeling_llama4.py,
// Llama4TextRotaryEmbedding; llama-models 0.3.0, models/llama4/model.py, precompute_freqs_cis.
#pragma once

#include "reference/formats/view.h"

namespace touchstone {

void RopeTable(View<const float, 'J'> f, View<const int64_t, 'T'> positions,
               View<float, 'T', 'J', '2'> table);

}  // namespace touchstone
