// Ranks and weights of tokens (rule N11), for kernels that choose among them in blocks of kThreads.
#pragma once

#include <algorithm>
#include <cstdint>

#include "kernels/parts/order_key.cuh"
#include "kernels/simt/simt.cuh"
#include "reference/arithmetic/functions.h"

namespace touchstone::kernels::sampling {

constexpr int kThreads = 256;
constexpr int kIdBits = 23;
constexpr int kRankBits = 32 + kIdBits;

using Sum = unsigned long long;  // the type that atomicAdd knows

// By logit, the largest first; among equals, also -0 and +0, the lowest id is above. Never 0.
__device__ __forceinline__ uint64_t Rank(float logit, int64_t id) {
  return uint64_t{OrderKey(logit)} << kIdBits | ((uint64_t{1} << kIdBits) - 1 - id);
}
__device__ __forceinline__ int64_t IdOfRank(uint64_t rank) {
  return ((int64_t{1} << kIdBits) - 1) & ~rank;
}

// n of a token whose z lies z_below_best <= 0 from the largest: at most 2^40.
__device__ __forceinline__ Sum Weight(float z_below_best) {
  return static_cast<Sum>(static_cast<double>(Exp(z_below_best)) * 0x1p40);
}

struct MaximumShared {
  uint64_t warp[kThreads / simt::kWarpSize];
};

// The largest value of the block, for all its threads. Once a kernel.
__device__ inline uint64_t BlockMaximum(uint64_t value) {
  auto& shared = simt::Shared<MaximumShared>();
  for (unsigned apart = simt::kWarpSize / 2; apart >= 1; apart /= 2) {
    value = std::max<uint64_t>(value, __shfl_xor_sync(simt::kWholeWarp, value, apart));
  }
  if (threadIdx.x % simt::kWarpSize == 0) shared.warp[threadIdx.x / simt::kWarpSize] = value;
  __syncthreads();
  for (const uint64_t other : shared.warp) value = std::max(value, other);
  return value;
}

// The upper half of the 128-bit product, from 32-bit parts.
__device__ inline uint64_t HighProduct(uint64_t a, uint64_t b) {
  const uint64_t a0 = a & 0xffffffff, a1 = a >> 32, b0 = b & 0xffffffff, b1 = b >> 32;
  const uint64_t low = a0 * b0 >> 32;
  const uint64_t middle0 = a1 * b0 + low;
  const uint64_t middle1 = a0 * b1 + (middle0 & 0xffffffff);
  return a1 * b1 + (middle0 >> 32) + (middle1 >> 32);
}

}  // namespace touchstone::kernels::sampling
