// Prefix sums of integers over a block, in the order of its threads.
#pragma once

#include <cstdint>

#include "kernels/simt/simt.cuh"

namespace touchstone::kernels {

template <int kThreads>
struct BlockScanShared {
  uint64_t warp[kThreads / simt::kWarpSize];  // sums of whole warps
};

struct BlockScan {
  uint64_t before;  // the sum of the threads before this one
  uint64_t all;
};

// Called by the whole block. Between two calls on the same shared memory there must be a barrier.
template <int kThreads>
__device__ inline BlockScan ScanBlock(uint64_t value, BlockScanShared<kThreads>& shared) {
  const unsigned lane = threadIdx.x % simt::kWarpSize, warp = threadIdx.x / simt::kWarpSize;
  uint64_t inclusive = value;
  for (unsigned apart = 1; apart < simt::kWarpSize; apart *= 2) {
    const uint64_t left = __shfl_up_sync(simt::kWholeWarp, inclusive, apart);
    if (lane >= apart) inclusive += left;
  }
  if (lane == simt::kWarpSize - 1) shared.warp[warp] = inclusive;
  __syncthreads();
  BlockScan scan{inclusive - value, 0};
  for (unsigned w = 0; w < kThreads / simt::kWarpSize; ++w) {
    if (w < warp) scan.before += shared.warp[w];
    scan.all += shared.warp[w];
  }
  return scan;
}

}  // namespace touchstone::kernels
