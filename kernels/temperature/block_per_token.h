// Declares what block_per_token.cu defines, for kernels that are made of others' launches.
#pragma once

#include "reference/ops/temperature/temperature.h"

namespace touchstone::kernels::temperature {

decltype(Temperature<float>) block_per_token;
decltype(Temperature<Bf16>) block_per_token;

}  // namespace touchstone::kernels::temperature
