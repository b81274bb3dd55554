// QK norm, one warp a head, eight heads a block: the 256 lanes of rule N4 are eight slots of 32
// threads (parts/warp_lanes.cuh), so that there is no barrier.
// architectures: 80 90 100
#include "kernels/parts/dense.h"
#include "kernels/parts/warp_lanes.cuh"
#include "kernels/simt/simt.cuh"
#include "reference/ops/qk_norm/qk_norm.h"

namespace touchstone::kernels::qk_norm {
namespace {

constexpr int kWarps = 8;
constexpr int kThreads = kWarps * simt::kWarpSize;

template <typename Storage>
__global__ void __launch_bounds__(kThreads)
    WarpPerHead(const Storage* x, float eps, int64_t heads, int64_t D, Storage* y) {
  const int64_t head = int64_t{blockIdx.x} * kWarps + threadIdx.x / simt::kWarpSize;
  const int64_t lane = threadIdx.x % simt::kWarpSize;
  if (head >= heads) return;  // the whole warp
  const Storage* row = x + head * D;

  float slot[kLaneSlots] = {};
  for (int64_t stripe = 0; stripe < D; stripe += kLaneSlots * simt::kWarpSize) {
#pragma unroll
    for (int i = 0; i < kLaneSlots; ++i) {
      const int64_t d = stripe + i * simt::kWarpSize + lane;
      if (d >= D) continue;
      const float value = Widen(row[d]);
      slot[i] = fmaf(value, value, slot[i]);
    }
  }
  const float sum = FoldWarpLanes(slot);

  const float r = 1.0f / sqrtf(sum / static_cast<float>(D) + eps);
  for (int64_t d = lane; d < D; d += simt::kWarpSize) {
    y[head * D + d] = Narrow<Storage>(Widen(row[d]) * r);
  }
}

template <typename Storage>
void Run(View<const Storage, 'T', 'H', 'D'> x, float eps, View<Storage, 'T', 'H', 'D'> y) {
  const int64_t heads = Extent<'T'>(x, y) * Extent<'H'>(x, y), D = Extent<'D'>(x, y);
  TOUCHSTONE_REQUIRE(D > 0);
  if (heads == 0) return;
  simt::Launch({.grid = dim3(simt::BlocksFor(heads, kWarps)), .block = dim3(kThreads)},
               WarpPerHead<Storage>, Dense(x), eps, heads, D, Dense(y));
}

}  // namespace

void warp_per_head(View<const float, 'T', 'H', 'D'> x, float eps, View<float, 'T', 'H', 'D'> y) {
  Run(x, eps, y);
}
void warp_per_head(View<const Bf16, 'T', 'H', 'D'> x, float eps, View<Bf16, 'T', 'H', 'D'> y) {
  Run(x, eps, y);
}

}  // namespace touchstone::kernels::qk_norm
