// The host function of block_per_expert.cu, for kernels that are composed of others.
#pragma once

#include "reference/ops/dispatch/dispatch.h"

namespace touchstone::kernels::dispatch {

decltype(Dispatch<float>) block_per_expert;
decltype(Dispatch<Bf16>) block_per_expert;

}  // namespace touchstone::kernels::dispatch
