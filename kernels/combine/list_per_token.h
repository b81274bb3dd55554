// The host function of list_per_token.cu, for kernels that are composed of others.
#pragma once

#include "reference/ops/combine/combine.h"

namespace touchstone::kernels::combine {

decltype(Combine<float>) list_per_token;
decltype(Combine<Bf16>) list_per_token;

}  // namespace touchstone::kernels::combine
