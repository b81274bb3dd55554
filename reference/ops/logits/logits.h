// Logits: the last linear, onto the vocabulary, widened to binary32.
//
//   x       (T, C)  storage  in: hidden states after the final norm
//   weight  (V, C)  storage  in: lm_head, or the embedding table where the checkpoint has none
//   y       (T, V)  f32      out in every recipe
//
//   y[t,v] = Widen(RN(chain over c of x[t,c] * weight[v,c]))      the sliced chain of fma (N3)
//
// The rounding to storage comes first: in recipe bf16 every logit is a bf16 value, and ties are
// common. No soft cap, no bias. A greedy choice reads these values (op sampling). Threads split the
// rows of weight.
// Checked against: transformers 5.23.0, models/llama4/modeling_llama4.py, Llama4ForCausalLM;
// llama-models 0.3.0, models/llama4/model.py, Transformer.forward.
#pragma once

#include "reference/formats/bf16.h"
#include "reference/formats/view.h"

namespace touchstone {

template <typename Storage>
void Logits(View<const Storage, 'T', 'C'> x, View<const Storage, 'V', 'C'> weight,
            View<float, 'T', 'V'> y, int threads = 1);

}  // namespace touchstone
