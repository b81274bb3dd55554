// The host function of register_tiles.cu, for kernels that are composed of others.
#pragma once

#include "reference/ops/chains.h"

namespace touchstone::kernels::gate_up_swiglu {

decltype(GateUpSwiglu<float>) register_tiles;
decltype(GateUpSwiglu<Bf16>) register_tiles;

}  // namespace touchstone::kernels::gate_up_swiglu
