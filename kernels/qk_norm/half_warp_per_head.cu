// QK norm, half a warp a head: 16 threads with 8 elements each hold a head of 128 in registers, and
// a block has 16 heads. Such a head is read and written once, by 16 bytes a thread.
// architectures: 80 90 100
//
// Thread t of a group holds the lanes 8 t ... 8 t + 7 of rule N4 (parts/octet_lanes.cuh). Wider
// heads take a whole warp, and are read twice.
#include "kernels/parts/chunk.cuh"
#include "kernels/parts/dense.h"
#include "kernels/parts/octet_lanes.cuh"
#include "kernels/simt/simt.cuh"
#include "reference/ops/qk_norm/qk_norm.h"

namespace touchstone::kernels::qk_norm {
namespace {

constexpr int kThreads = 256;
constexpr int kHalfWarp = 16;

__device__ __forceinline__ float Scale(float squares, int64_t D, float eps) {
  return 1.0f / sqrtf(squares / static_cast<float>(D) + eps);
}

template <typename Storage>
__device__ __forceinline__ Octet<Storage> Scaled(const Octet<Storage>& row, float r) {
  float scaled[kOctet];
#pragma unroll
  for (int i = 0; i < kOctet; ++i) scaled[i] = row.value(i) * r;
  return NarrowOctet<Storage>(scaled);
}

// D <= 128. Half a warp without a head, or a thread past its end, has zeros and stores nothing.
template <typename Storage, bool kWide>
__global__ void __launch_bounds__(kThreads)
    HalfWarpPerHead(const Storage* x, float eps, int64_t heads, int64_t D, Storage* y) {
  const int64_t head = (int64_t{blockIdx.x} * kThreads + threadIdx.x) / kHalfWarp;
  const int64_t d = threadIdx.x % kHalfWarp * kOctet;
  const bool exists = head < heads && d < D;
  const int64_t count = kWide ? kOctet : D - d;

  Octet<Storage> row = {};
  if (exists) row = LoadOctet(x + head * D + d, count, kWide);
  float slot[kOctet] = {};
  JoinSquares(row, slot);
  const float r = Scale(FoldOctetLanes<kHalfWarp>(slot), D, eps);
  if (exists) StoreOctet(Scaled(row, r), count, kWide, y + head * D + d);
}

template <typename Storage>
__global__ void __launch_bounds__(kThreads)
    WarpPerHead(const Storage* x, float eps, int64_t heads, int64_t D, bool wide, Storage* y) {
  const int64_t head = (int64_t{blockIdx.x} * kThreads + threadIdx.x) / simt::kWarpSize;
  if (head >= heads) return;  // the whole warp
  const int64_t first = threadIdx.x % simt::kWarpSize * kOctet;

  float slot[kOctet] = {};
  for (int64_t d = first; d < D; d += kStripe) {
    JoinSquares(LoadOctet(x + head * D + d, D - d, wide), slot);
  }
  const float r = Scale(FoldOctetLanes<simt::kWarpSize>(slot), D, eps);
  for (int64_t d = first; d < D; d += kStripe) {
    const Octet<Storage> row = LoadOctet(x + head * D + d, D - d, wide);
    StoreOctet(Scaled(row, r), D - d, wide, y + head * D + d);
  }
}

template <typename Storage>
void Run(View<const Storage, 'T', 'H', 'D'> x, float eps, View<Storage, 'T', 'H', 'D'> y) {
  const int64_t heads = Extent<'T'>(x, y) * Extent<'H'>(x, y), D = Extent<'D'>(x, y);
  TOUCHSTONE_REQUIRE(D > 0);
  if (heads == 0) return;
  const bool wide = IsWide(x.data, y.data) && D % kOctet == 0;
  const int threads = D <= kHalfWarp * kOctet ? kHalfWarp : simt::kWarpSize;
  const simt::LaunchConfig config{.grid = dim3(simt::BlocksFor(heads, kThreads / threads)),
                                  .block = dim3(kThreads)};
  if (threads == simt::kWarpSize) {
    simt::Launch(config, WarpPerHead<Storage>, Dense(x), eps, heads, D, wide, Dense(y));
  } else if (wide) {
    simt::Launch(config, HalfWarpPerHead<Storage, true>, Dense(x), eps, heads, D, Dense(y));
  } else {
    simt::Launch(config, HalfWarpPerHead<Storage, false>, Dense(x), eps, heads, D, Dense(y));
  }
}

}  // namespace

void half_warp_per_head(View<const float, 'T', 'H', 'D'> x, float eps,
                        View<float, 'T', 'H', 'D'> y) {
  Run(x, eps, y);
}
void half_warp_per_head(View<const Bf16, 'T', 'H', 'D'> x, float eps, View<Bf16, 'T', 'H', 'D'> y) {
  Run(x, eps, y);
}

}  // namespace touchstone::kernels::qk_norm
