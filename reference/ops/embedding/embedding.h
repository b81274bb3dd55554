// Embedding: the row of the table that a token's id names.
//
//   ids    (T)     i64      in
//   table  (V, C)  storage  in
//   h      (T, C)  storage  out
//
//   h[t,c] = table[ids[t],c]
//
// Rounding places: none, a copy of bits (a NaN stays the NaN that it was). No factor multiplies the
// row. T = 0 does nothing. An id outside [0, V) is a contract violation. h and table do not
// overlap. Checked against: transformers 5.23.0, models/llama4/modeling_llama4.py, Llama4TextModel;
// llama-models 0.3.0, models/llama4/model.py, Transformer.forward.
#pragma once

#include "reference/formats/bf16.h"
#include "reference/formats/view.h"

namespace touchstone {

template <typename Storage>
void Embedding(View<const int64_t, 'T'> ids, View<const Storage, 'V', 'C'> table,
               View<Storage, 'T', 'C'> h);

}  // namespace touchstone
