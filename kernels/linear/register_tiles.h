// Declares what register_tiles.cu defines, for kernels that are made of others' launches.
#pragma once

#include "reference/ops/linear/linear.h"

namespace touchstone::kernels::linear {

decltype(Linear<float>) register_tiles;
decltype(Linear<Bf16>) register_tiles;

}  // namespace touchstone::kernels::linear
