// Linear: every projection of the model (q, k, v, o, gate, up, down, router). C stands for the
// input width and F for the output width of whichever projection it is.
//
//   x       (T, C)  storage  in
//   weight  (F, C)  storage  in; any strides, so that tensors stored (C, F) are read in place
//   y       (T, F)  storage  out; overlaps neither input
//
//   y[t,f] = RN(chain over c of x[t,c] * weight[f,c])   the sliced chain of fma (N3)
//
// Rounding places: one, at the end. No bias. C = 0 gives +0. T = 0 or F = 0 does nothing. NaN and
// infinities follow IEEE-754 in the written order. Threads split the rows of weight: no bit depends
// on their number.
// Checked against: torch.nn.functional.linear as transformers 5.23.0 calls it in
// models/llama4/modeling_llama4.py; llama-models 0.3.0, models/llama4/model.py and moe.py.
#pragma once

#include "reference/formats/bf16.h"
#include "reference/formats/view.h"

namespace touchstone {

template <typename Storage>
void Linear(View<const Storage, 'T', 'C'> x, View<const Storage, 'F', 'C'> weight,
            View<Storage, 'T', 'F'> y, int threads = 1);

}  // namespace touchstone
