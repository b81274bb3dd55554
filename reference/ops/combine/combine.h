// Combine: the routed part of a mixture of experts, summed over the experts of every token.
//
//   rows       (R, C)  storage  in: what each expert computed, in the row order of op dispatch
//   row_token  (R)     i64      in: the token of each row
//   y          (T, C)  storage  out; does not overlap rows
//
//   y[t,c] = RN(sum from +0 over the rows r of token t, r ascending, of rows[r,c])
//
// r ascending is ascending expert index. Binary32 additions, one rounding; also for one expert,
// where it turns -0 into +0. A token without a row gives +0. No weight: the score is on the
// expert's input. The shared expert is added by residual_add: f = RN(shared + routed). A token
// outside [0, T) is a contract violation.
// Checked against: transformers 5.23.0, models/llama4/modeling_llama4.py, Llama4TextMoe;
// llama-models 0.3.0, models/llama4/moe.py, MoE.forward.
#pragma once

#include "reference/formats/bf16.h"
#include "reference/formats/view.h"

namespace touchstone {

template <typename Storage>
void Combine(View<const Storage, 'R', 'C'> rows, View<const int64_t, 'R'> row_token,
             View<Storage, 'T', 'C'> y);

}  // namespace touchstone
