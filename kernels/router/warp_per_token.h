// The host function of warp_per_token.cu, for kernels that are composed of others.
#pragma once

#include "reference/ops/router/router.h"

namespace touchstone::kernels::router {

decltype(Router<float>) warp_per_token;
decltype(Router<Bf16>) warp_per_token;

}  // namespace touchstone::kernels::router
