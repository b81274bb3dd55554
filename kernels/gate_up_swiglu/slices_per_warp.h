// The host function of slices_per_warp.cu, for kernels that are composed of others.
#pragma once

#include "reference/ops/chains.h"

namespace touchstone::kernels::gate_up_swiglu {

decltype(GateUpSwiglu<float>) slices_per_warp;
decltype(GateUpSwiglu<Bf16>) slices_per_warp;

}  // namespace touchstone::kernels::gate_up_swiglu
