// Router: the experts of every token, and the score of each. The logits come from op linear.
//
//   logits  (T, E)  storage  in
//   chosen  (T, A)  i64      out: A = num_experts_per_tok experts, best first
//   scores  (T, A)  storage  out
//
//   chosen[t,a] = the expert with the a-th largest logit; among equals the lowest index (N6)
//   scores[t,a] = RN(1 / (1 + exp(-logits[t,chosen[t,a]])))
//
// The choice reads the stored (rounded) logit, never the score: sigmoids saturate and would tie.
// Each step of the score is one binary32 operation, exp correctly rounded (N5); no softmax, no
// renormalisation, no bias. -0 equals +0; a NaN beats all, then the lowest index. Scores: 1 at
// +inf, +0 at -inf, NaN at NaN. 0 < A <= E, else a contract violation.
// Checked against: transformers 5.23.0, models/llama4/modeling_llama4.py, Llama4Router;
// llama-models 0.3.0, models/llama4/moe.py, MoE.forward.
#pragma once

#include "reference/formats/bf16.h"
#include "reference/formats/view.h"

namespace touchstone {

template <typename Storage>
void Router(View<const Storage, 'T', 'E'> logits, View<int64_t, 'T', 'A'> chosen,
            View<Storage, 'T', 'A'> scores);

}  // namespace touchstone
