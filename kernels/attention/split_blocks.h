// Declares what split_blocks.cu defines, for kernels that are made of others' launches.
#pragma once

#include "reference/ops/attention/attention.h"

namespace touchstone::kernels::attention {

decltype(Attention<float>) split_blocks;
decltype(Attention<Bf16>) split_blocks;

}  // namespace touchstone::kernels::attention
