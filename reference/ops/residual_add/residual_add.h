// Residual add: the stream of hidden states plus what a block computed. Also the sum of the shared
// and the routed expert, which is added to the stream afterwards, never before.
//
//   a, b  (T, C)  storage  in
//   y     (T, C)  storage  out; may be the same memory as a or b
//
//   y[t,c] = RN(a[t,c] + b[t,c])
//
// One binary32 addition, one rounding. NaN and infinities follow IEEE-754 (inf - inf is NaN).
// Checked against: transformers 5.23.0, models/llama4/modeling_llama4.py, Llama4TextDecoderLayer;
// llama-models 0.3.0, models/llama4/model.py, TransformerBlock.forward.
#pragma once

#include "reference/formats/bf16.h"
#include "reference/formats/view.h"

namespace touchstone {

template <typename Storage>
void ResidualAdd(View<const Storage, 'T', 'C'> a, View<const Storage, 'T', 'C'> b,
                 View<Storage, 'T', 'C'> y);

}  // namespace touchstone
