// RoPE: turn adjacent pairs of every head by the angle of their position. Applied to queries and,
// with G heads in place of H, to keys; on layers that have RoPE only.
//
//   x      (T, H, D)  storage  in
//   table  (T, J, 2)  f32      in, J = D / 2: cosine, then sine (op rope_table)
//   y      (T, H, D)  storage  out; may be the same memory as x
//
//   y[t,h,2j]     = RN(x[t,h,2j] * cos - x[t,h,2j+1] * sin)
//   y[t,h,2j + 1] = RN(x[t,h,2j] * sin + x[t,h,2j+1] * cos)
//
// Two products and one sum or difference, each rounded to binary32, no fma; then one rounding to
// storage. Pairs are adjacent (2j, 2j + 1), never halves. D = 2J, else a contract violation.
// NaN and infinities follow IEEE-754.
// Checked against: transformers 5.23.0, models/llama4/modeling_llama4.py, apply_rotary_emb;
// llama-models 0.3.0, models/llama4/model.py, apply_rotary_emb.
#pragma once

#include "reference/formats/bf16.h"
#include "reference/formats/view.h"

namespace touchstone {

template <typename Storage>
void Rope(View<const Storage, 'T', 'H', 'D'> x, View<const float, 'T', 'J', '2'> table,
          View<Storage, 'T', 'H', 'D'> y);

}  // namespace touchstone
