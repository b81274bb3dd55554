// From a recipe's storage format to the C++ type that holds it.
#pragma once

#include "reference/formats/bf16.h"
#include "reference/formats/dtype.h"
#include "reference/formats/require.h"

namespace touchstone {

// work.template operator()<Storage>(), and what that gives.
template <typename Work>
decltype(auto) ByStorage(Dtype storage, Work work) {
  TOUCHSTONE_REQUIRE(storage == Dtype::kF32 || storage == Dtype::kBf16);
  if (storage == Dtype::kF32) return work.template operator()<float>();
  return work.template operator()<Bf16>();
}

}  // namespace touchstone
