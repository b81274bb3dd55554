// SwiGLU: the gate through SiLU, times up. The middle of every expert (routed and shared) and of
// the dense feed-forward.
//
//   gate, up  (T, F)  storage  in
//   y         (T, F)  storage  out; may be the same memory as gate or up
//
//   silu   = RN(g / (1 + exp(-g)))                 first rounding place
//   y[t,f] = RN(silu * up[t,f])                    second rounding place
//
// Negation, exp (correctly rounded, N5), sum, quotient, product: one binary32 operation each. Where
// exp(-g) overflows (g < -88.72) the quotient is -0. g = -inf gives NaN (-inf / inf), g = +inf
// gives +inf. For routed experts T is the R rows of op dispatch.
// Checked against: transformers 5.23.0, models/llama4/modeling_llama4.py, Llama4TextMLP and
// Llama4TextExperts; llama-models 0.3.0, models/llama4/ffn.py and moe.py.
#pragma once

#include "reference/formats/bf16.h"
#include "reference/formats/view.h"

namespace touchstone {

template <typename Storage>
void SwiGlu(View<const Storage, 'T', 'F'> gate, View<const Storage, 'T', 'F'> up,
            View<Storage, 'T', 'F'> y);

}  // namespace touchstone
