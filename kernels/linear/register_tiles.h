// The host function of register_tiles.cu, for kernels that are composed of others.
#pragma once

#include "reference/ops/linear/linear.h"

namespace touchstone::kernels::linear {

decltype(Linear<float>) register_tiles;
decltype(Linear<Bf16>) register_tiles;

}  // namespace touchstone::kernels::linear
