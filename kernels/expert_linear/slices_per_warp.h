// The host function of slices_per_warp.cu, for kernels that are composed of others.
#pragma once

#include "reference/ops/expert_linear/expert_linear.h"

namespace touchstone::kernels::expert_linear {

decltype(ExpertLinear<float>) slices_per_warp;
decltype(ExpertLinear<Bf16>) slices_per_warp;

}  // namespace touchstone::kernels::expert_linear
