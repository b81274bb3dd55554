// Declares what warp_per_head.cu defines, for kernels that are made of others' launches.
#pragma once

#include "reference/ops/chains.h"

namespace touchstone::kernels::rope_qk_norm {

decltype(RopeQkNorm<float>) warp_per_head;
decltype(RopeQkNorm<Bf16>) warp_per_head;

}  // namespace touchstone::kernels::rope_qk_norm
