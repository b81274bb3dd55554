// RoPE and QK norm in one pass, one warp a head, eight heads a block.
// architectures: 80 90 100
//
// Thread l rotates the pairs l, l + 32, ...: elements 2 l and 2 l + 1 and those 64 further. So of
// the 256 lanes of rule N4 it holds 2 l + 64 m and 2 l + 1 + 64 m, m = 0..3. The fold by 128 and 64
// stays within the thread, that by 32, 16, 8, 4 and 2 goes to the threads 16, 8, 4, 2 and 1 further
// on, and the last one, by 1, is within the thread again.
#include "kernels/parts/dense.h"
#include "kernels/parts/rotate.cuh"
#include "kernels/simt/simt.cuh"
#include "reference/ops/chains.h"

namespace touchstone::kernels::rope_qk_norm {
namespace {

constexpr int kWarps = 8;
constexpr int kThreads = kWarps * simt::kWarpSize;
constexpr int kGroups = 4;  // of 64 lanes

// The rotated pair p of a head, rounded to storage.
template <typename Storage>
__device__ __forceinline__ Rotated RotatedPair(const Storage* row, const float* turn, int64_t p) {
  const float x0 = Widen(row[2 * p]), x1 = Widen(row[2 * p + 1]);
  const float cosine = turn[2 * p], sine = turn[2 * p + 1];
  const Rotated pair = Rotate(x0, x1, cosine, sine);
  return {RoundTo<Storage>(pair.even), RoundTo<Storage>(pair.odd)};
}

template <typename Storage>
__global__ void __launch_bounds__(kThreads)
    WarpPerHead(const Storage* x, const float* table, float eps, int64_t heads, int64_t H,
                int64_t D, Storage* y) {
  const int64_t head = int64_t{blockIdx.x} * kWarps + threadIdx.x / simt::kWarpSize;
  const int64_t lane = threadIdx.x % simt::kWarpSize;
  if (head >= heads) return;  // the whole warp
  const Storage* row = x + head * D;
  const float* turn = table + head / H * D;

  float even[kGroups] = {}, odd[kGroups] = {};
  for (int64_t stripe = 0; stripe < D / 2; stripe += kGroups * simt::kWarpSize) {
#pragma unroll
    for (int m = 0; m < kGroups; ++m) {
      const int64_t p = stripe + m * simt::kWarpSize + lane;
      if (p >= D / 2) continue;
      const Rotated pair = RotatedPair<Storage>(row, turn, p);
      even[m] = fmaf(pair.even, pair.even, even[m]);
      odd[m] = fmaf(pair.odd, pair.odd, odd[m]);
    }
  }
  float low = (even[0] + even[2]) + (even[1] + even[3]);
  float high = (odd[0] + odd[2]) + (odd[1] + odd[3]);
#pragma unroll
  for (unsigned half = 16; half >= 1; half /= 2) {
    low = low + __shfl_down_sync(simt::kWholeWarp, low, half);
    high = high + __shfl_down_sync(simt::kWholeWarp, high, half);
  }
  const float sum = __shfl_sync(simt::kWholeWarp, low + high, 0);

  const float r = 1.0f / sqrtf(sum / static_cast<float>(D) + eps);
  for (int64_t p = lane; p < D / 2; p += simt::kWarpSize) {
    const Rotated pair = RotatedPair<Storage>(row, turn, p);
    y[head * D + 2 * p] = Narrow<Storage>(pair.even * r);
    y[head * D + 2 * p + 1] = Narrow<Storage>(pair.odd * r);
  }
}

template <typename Storage>
void Run(View<const Storage, 'T', 'H', 'D'> x, View<const float, 'T', 'J', '2'> table, float eps,
         View<Storage, 'T', 'H', 'D'> y) {
  const int64_t T = Extent<'T'>(x, table, y), H = Extent<'H'>(x, y), D = Extent<'D'>(x, y);
  TOUCHSTONE_REQUIRE(D > 0 && D == 2 * Extent<'J'>(table) && Extent<'2'>(table) == 2);
  if (T * H == 0) return;
  simt::Launch({.grid = dim3(simt::BlocksFor(T * H, kWarps)), .block = dim3(kThreads)},
               WarpPerHead<Storage>, Dense(x), Dense(table), eps, T * H, H, D, Dense(y));
}

}  // namespace

void warp_per_head(View<const float, 'T', 'H', 'D'> x, View<const float, 'T', 'J', '2'> table,
                   float eps, View<float, 'T', 'H', 'D'> y) {
  Run(x, table, eps, y);
}
void warp_per_head(View<const Bf16, 'T', 'H', 'D'> x, View<const float, 'T', 'J', '2'> table,
                   float eps, View<Bf16, 'T', 'H', 'D'> y) {
  Run(x, table, eps, y);
}

}  // namespace touchstone::kernels::rope_qk_norm
