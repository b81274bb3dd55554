// Declares what slices_per_warp.cu defines, for kernels that are made of others' launches.
#pragma once

#include "reference/ops/linear/linear.h"

namespace touchstone::kernels::linear {

decltype(Linear<float>) slices_per_warp;
decltype(Linear<Bf16>) slices_per_warp;

}  // namespace touchstone::kernels::linear
