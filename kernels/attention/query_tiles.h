// Declares what query_tiles.cu defines, for kernels that are made of others' launches.
#pragma once

#include "reference/ops/attention/attention.h"

namespace touchstone::kernels::attention {

decltype(Attention<float>) query_tiles;
decltype(Attention<Bf16>) query_tiles;

}  // namespace touchstone::kernels::attention
