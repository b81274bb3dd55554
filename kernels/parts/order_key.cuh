// The order of rule N6 as integers: OrderKey(a) > OrderKey(b) where a beats b on the value alone,
// and equal where neither does. A NaN beats all, -0 equals +0. No key is 0 or
// 0xffffffff.
#pragma once

#include <bit>
#include <cstdint>

#include "kernels/simt/simt.cuh"

namespace touchstone::kernels {

__device__ __forceinline__ uint32_t OrderKey(float value) {
  if (value != value) return 0xfffffffe;
  const uint32_t bits = std::bit_cast<uint32_t>(value + 0.0f);  // -0 + 0 is +0
  return bits >> 31 != 0 ? ~bits : bits | 0x80000000;
}

}  // namespace touchstone::kernels
