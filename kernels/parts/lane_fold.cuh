// Rule N4 in a block of 256 threads, and in one warp: thread j, or slot j of the warp's 256, holds
// lane j; the fold is lane j += lane j + 128, 64, 32, 16, 8, 4, 2, 1. Binary32.
#pragma once

#include "kernels/simt/simt.cuh"

namespace touchstone::kernels {

struct LaneFoldShared {
  float lane[256];
};

// The folded sum, in every thread of a block of 256. Two barriers and one more where it is called
// again on the same shared memory.
__device__ inline float FoldLanes(float lane, LaneFoldShared& shared) {
  const unsigned j = threadIdx.x;
  shared.lane[j] = lane;
  __syncthreads();
  // Warp 0 takes lane j + 32 i, i = 0..7, and folds by 128, 64 and 32 in its own registers.
  if (j < simt::kWarpSize) {
    float slot[8];
    for (unsigned i = 0; i < 8; ++i) slot[i] = shared.lane[j + 32 * i];
    for (unsigned half = 4; half >= 1; half /= 2) {
      for (unsigned i = 0; i < half; ++i) slot[i] = slot[i] + slot[i + half];
    }
    float sum = slot[0];
    for (unsigned half = 16; half >= 1; half /= 2) {
      sum = sum + __shfl_down_sync(simt::kWholeWarp, sum, half);
    }
    if (j == 0) shared.lane[0] = sum;
  }
  __syncthreads();
  return shared.lane[0];
}

}  // namespace touchstone::kernels
