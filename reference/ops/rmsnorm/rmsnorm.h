// RMSNorm: scale every token to unit root mean square, then apply a learned weight. Also the final
// norm of the model.
//
//   x       (T, C)  storage  in
//   weight  (C)     storage  in
//   eps             f32      the configuration's decimal, rounded once (N12)
//   y       (T, C)  storage  out; may be the same memory as x
//
//   mean[t] = (sum over c of x[t,c]^2) / float(C)       sum in 256 lanes of fma (N4), one division
//   r[t]    = 1 / sqrt(mean[t] + eps)                   two IEEE operations (N5)
//   unit    = RN(x[t,c] * r[t])                         first rounding place: before the weight
//   y[t,c]  = RN(unit * weight[c])                      second rounding place
//
// RN rounds to the recipe's storage; in recipe f32 it does nothing. C = 0 is a contract violation;
// T = 0 does nothing. A NaN makes its whole row NaN; an infinity makes its own element NaN and the
// rest of its row zero (NaN where the weight is infinite). A sum of squares above the binary32
// range gives r = 0. Rows never mix.
// Checked against: transformers 5.23.0, models/llama4/modeling_llama4.py, Llama4TextRMSNorm;
// llama-models 0.3.0, models/llama4/model.py, RMSNorm.
#pragma once

#include "reference/formats/bf16.h"
#include "reference/formats/view.h"

namespace touchstone {

template <typename Storage>
void RmsNorm(View<const Storage, 'T', 'C'> x, View<const Storage, 'C'> weight, float eps,
             View<Storage, 'T', 'C'> y);

}  // namespace touchstone
