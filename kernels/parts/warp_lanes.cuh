// Rule N4 in one warp: thread l holds the lanes l, l + 32, ..., l + 224 of the 256 in its slots
// 0..7. The fold by 128, 64 and 32 stays within a thread, the fold by 16, 8, 4, 2 and 1 is five
// shuffles.
#pragma once

#include "kernels/simt/simt.cuh"

namespace touchstone::kernels {

constexpr int kLaneSlots = 8;

// The folded sum, in every thread of the warp.
__device__ __forceinline__ float FoldWarpLanes(const float (&slot)[kLaneSlots]) {
  float folded[kLaneSlots];
#pragma unroll
  for (int i = 0; i < kLaneSlots; ++i) folded[i] = slot[i];
#pragma unroll
  for (int half = kLaneSlots / 2; half >= 1; half /= 2) {
#pragma unroll
    for (int i = 0; i < half; ++i) folded[i] = folded[i] + folded[i + half];
  }
  float sum = folded[0];
#pragma unroll
  for (unsigned half = 16; half >= 1; half /= 2) {
    sum = sum + __shfl_down_sync(simt::kWholeWarp, sum, half);
  }
  return __shfl_sync(simt::kWholeWarp, sum, 0);
}

}  // namespace touchstone::kernels
