// Expert linear: the projections of routed experts (gate, up, down). Rows that belong to one expert
// are multiplied by that expert's weight. C stands for the input width and F for the output width.
//
//   x        (R, C)     storage  in, rows sorted by expert (op dispatch)
//   weight   (E, F, C)  storage  in; any strides: tensors stored (E, C, F) are read in place
//   offsets  (E + 1)    i64      in: expert e owns the rows [offsets[e], offsets[e + 1])
//   y        (R, F)     storage  out; overlaps no input
//
//   y[r,f] = RN(chain over c of x[r,c] * weight[e,f,c])   for the expert e that owns r (N3)
//
// Rounding places: one, at the end, as in op linear. An expert may own no row. Rows never mix: a
// row's bits are those of op linear with its expert's weight, whatever the other rows. offsets
// start at 0, never fall and end at R, else a contract violation. Threads split the rows of weight.
// Checked against: transformers 5.23.0, models/llama4/modeling_llama4.py, Llama4TextExperts (a
// batched product over equal numbers of rows); llama-models 0.3.0, models/llama4/moe.py.
#pragma once

#include "reference/formats/bf16.h"
#include "reference/formats/view.h"

namespace touchstone {

template <typename Storage>
void ExpertLinear(View<const Storage, 'R', 'C'> x, View<const Storage, 'E', 'F', 'C'> weight,
                  View<const int64_t, 'O'> offsets, View<Storage, 'R', 'F'> y, int threads = 1);

}  // namespace touchstone
