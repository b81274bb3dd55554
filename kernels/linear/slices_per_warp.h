// The host function of slices_per_warp.cu, for kernels that are composed of others.
#pragma once

#include "reference/ops/linear/linear.h"

namespace touchstone::kernels::linear {

decltype(Linear<float>) slices_per_warp;
decltype(Linear<Bf16>) slices_per_warp;

}  // namespace touchstone::kernels::linear
