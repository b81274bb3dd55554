// The host function of register_tiles.cu, for kernels that are composed of others.
#pragma once

#include "reference/ops/expert_linear/expert_linear.h"

namespace touchstone::kernels::expert_linear {

decltype(ExpertLinear<float>) register_tiles;
decltype(ExpertLinear<Bf16>) register_tiles;

}  // namespace touchstone::kernels::expert_linear
