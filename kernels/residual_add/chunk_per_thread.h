// The host function of chunk_per_thread.cu, for kernels that are composed of others.
#pragma once

#include "reference/ops/residual_add/residual_add.h"

namespace touchstone::kernels::residual_add {

decltype(ResidualAdd<float>) chunk_per_thread;
decltype(ResidualAdd<Bf16>) chunk_per_thread;

}  // namespace touchstone::kernels::residual_add
