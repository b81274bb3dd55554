// QK norm: scale every head of every token to unit root mean square, without a weight. Applied to
// queries and, with G heads in place of H, to keys, after RoPE; on layers with RoPE only, and only
// where the configuration says use_qk_norm (Scout does, Maverick does not).
//
//   x    (T, H, D)  storage  in
//   eps             f32      rms_norm_eps, rounded once (N12)
//   y    (T, H, D)  storage  out; may be the same memory as x
//
//   mean   = (sum over d of x[t,h,d]^2) / float(D)      sum in 256 lanes of fma (N4)
//   r      = 1 / sqrt(mean + eps)                       two IEEE operations (N5)
//   y[...] = RN(x[t,h,d] * r)
//
// A mean, not a sum, whatever some implementations call it; each head by itself. D = 0 is a
// contract violation. A NaN makes its whole head NaN; an infinity makes its own element NaN and the
// rest of its head zero.
// Checked against: transformers 5.23.0, models/llama4/modeling_llama4.py, Llama4TextL2Norm;
// llama-models 0.3.0, models/llama4/model.py, rmsnorm.
#pragma once

#include "reference/formats/bf16.h"
#include "reference/formats/view.h"

namespace touchstone {

template <typename Storage>
void QkNorm(View<const Storage, 'T', 'H', 'D'> x, float eps, View<Storage, 'T', 'H', 'D'> y);

}  // namespace touchstone
