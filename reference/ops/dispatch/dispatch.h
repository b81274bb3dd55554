// Dispatch: gather the rows of every expert and scale each by its score. The score goes on the
// expert's input, not on its output: the expert is not linear, so the two differ.
//
//   x          (T, C)  storage  in
//   chosen     (T, A)  i64      in, experts of each token (op router)
//   scores     (T, A)  storage  in
//   rows       (R, C)  storage  out, R = T * A
//   row_token  (R)     i64      out: the token of each row
//   offsets    (E + 1) i64      out: expert e owns the rows [offsets[e], offsets[e + 1])
//
//   rows[r,c] = RN(x[row_token[r],c] * score of that token for that expert)
//
// One binary32 product, one rounding. Rows are sorted by expert, then by token, both ascending; the
// order never reaches a bit of the model. No capacity, no dropping; an expert may own no row. An
// expert index outside [0, E), or the same expert twice for a token, is a contract violation.
// Checked against: transformers 5.23.0, models/llama4/modeling_llama4.py, Llama4TextMoe;
// llama-models 0.3.0, models/llama4/moe.py, MoE.forward (both evaluate every expert, the others at
// score zero).
#pragma once

#include "reference/formats/bf16.h"
#include "reference/formats/view.h"

namespace touchstone {

template <typename Storage>
void Dispatch(View<const Storage, 'T', 'C'> x, View<const int64_t, 'T', 'A'> chosen,
              View<const Storage, 'T', 'A'> scores, View<Storage, 'R', 'C'> rows,
              View<int64_t, 'R'> row_token, View<int64_t, 'O'> offsets);

}  // namespace touchstone
