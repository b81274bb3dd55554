// The host function of fused_gate_up.cu, for kernels that are composed of others.
#pragma once

#include "reference/ops/chains.h"

namespace touchstone::kernels::feed_forward {

decltype(FeedForward<float>) fused_gate_up;
decltype(FeedForward<Bf16>) fused_gate_up;

}  // namespace touchstone::kernels::feed_forward
