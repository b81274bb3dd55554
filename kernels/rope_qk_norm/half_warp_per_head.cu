// RoPE and QK norm in one pass, half a warp a head: 16 threads with 4 pairs each hold a head of 128
// in registers, and a block has 16 heads. Such a head is read and written once, by 16 bytes a
// thread; the pairs of a thread turn within it.
// architectures: 80 90 100
//
// Thread t of a group holds the lanes 8 t ... 8 t + 7 of rule N4 (parts/octet_lanes.cuh). The
// rotated head, rounded to storage, is what is normed. Wider heads take a whole warp, and are read
// and rotated twice.
#include "kernels/parts/chunk.cuh"
#include "kernels/parts/dense.h"
#include "kernels/parts/octet_lanes.cuh"
#include "kernels/parts/rotate.cuh"
#include "kernels/simt/simt.cuh"
#include "reference/ops/chains.h"

namespace touchstone::kernels::rope_qk_norm {
namespace {

constexpr int kThreads = 256;
constexpr int kHalfWarp = 16;

// Cosine and sine of each pair lie in the table where the pair lies in a head.
template <typename Storage>
__device__ __forceinline__ Octet<Storage> RotatedOctet(const Octet<Storage>& row,
                                                       const Octet<float>& turn) {
  float rotated[kOctet];
#pragma unroll
  for (int i = 0; i < kOctet; i += 2) {
    const Rotated pair = Rotate(row.value(i), row.value(i + 1), turn.value(i), turn.value(i + 1));
    rotated[i] = pair.even;
    rotated[i + 1] = pair.odd;
  }
  return NarrowOctet<Storage>(rotated);
}

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
    HalfWarpPerHead(const Storage* x, const float* table, float eps, int64_t heads, int64_t H,
                    int64_t D, Storage* y) {
  const int64_t head = (int64_t{blockIdx.x} * kThreads + threadIdx.x) / kHalfWarp;
  const int64_t d = threadIdx.x % kHalfWarp * kOctet;
  const bool exists = head < heads && d < D;
  const int64_t count = kWide ? kOctet : D - d;

  Octet<Storage> row = {};
  if (exists) {
    row = RotatedOctet(LoadOctet(x + head * D + d, count, kWide),
                       LoadOctet(table + head / H * D + d, count, kWide));
  }
  float slot[kOctet] = {};
  JoinSquares(row, slot);
  const float r = Scale(FoldOctetLanes<kHalfWarp>(slot), D, eps);
  if (exists) StoreOctet(Scaled(row, r), count, kWide, y + head * D + d);
}

template <typename Storage>
__global__ void __launch_bounds__(kThreads)
    WarpPerHead(const Storage* x, const float* table, float eps, int64_t heads, int64_t H,
                int64_t D, bool wide, Storage* y) {
  const int64_t head = (int64_t{blockIdx.x} * kThreads + threadIdx.x) / simt::kWarpSize;
  if (head >= heads) return;  // the whole warp
  const int64_t first = threadIdx.x % simt::kWarpSize * kOctet;
  const Storage* row = x + head * D;
  const float* turns = table + head / H * D;

  float slot[kOctet] = {};
  for (int64_t d = first; d < D; d += kStripe) {
    JoinSquares(RotatedOctet(LoadOctet(row + d, D - d, wide), LoadOctet(turns + d, D - d, wide)),
                slot);
  }
  const float r = Scale(FoldOctetLanes<simt::kWarpSize>(slot), D, eps);
  for (int64_t d = first; d < D; d += kStripe) {
    const Octet<Storage> rotated =
        RotatedOctet(LoadOctet(row + d, D - d, wide), LoadOctet(turns + d, D - d, wide));
    StoreOctet(Scaled(rotated, r), D - d, wide, y + head * D + d);
  }
}

template <typename Storage>
void Run(View<const Storage, 'T', 'H', 'D'> x, View<const float, 'T', 'J', '2'> table, float eps,
         View<Storage, 'T', 'H', 'D'> y) {
  const int64_t T = Extent<'T'>(x, table, y), H = Extent<'H'>(x, y), D = Extent<'D'>(x, y);
  TOUCHSTONE_REQUIRE(D > 0 && D == 2 * Extent<'J'>(table) && Extent<'2'>(table) == 2);
  const int64_t heads = T * H;
  if (heads == 0) return;
  const bool wide = IsWide(x.data, y.data, table.data) && D % kOctet == 0;
  const int threads = D <= kHalfWarp * kOctet ? kHalfWarp : simt::kWarpSize;
  const simt::LaunchConfig config{.grid = dim3(simt::BlocksFor(heads, kThreads / threads)),
                                  .block = dim3(kThreads)};
  if (threads == simt::kWarpSize) {
    simt::Launch(config, WarpPerHead<Storage>, Dense(x), Dense(table), eps, heads, H, D, wide,
                 Dense(y));
  } else if (wide) {
    simt::Launch(config, HalfWarpPerHead<Storage, true>, Dense(x), Dense(table), eps, heads, H, D,
                 Dense(y));
  } else {
    simt::Launch(config, HalfWarpPerHead<Storage, false>, Dense(x), Dense(table), eps, heads, H, D,
                 Dense(y));
  }
}

}  // namespace

void half_warp_per_head(View<const float, 'T', 'H', 'D'> x, View<const float, 'T', 'J', '2'> table,
                        float eps, View<float, 'T', 'H', 'D'> y) {
  Run(x, table, eps, y);
}
void half_warp_per_head(View<const Bf16, 'T', 'H', 'D'> x, View<const float, 'T', 'J', '2'> table,
                        float eps, View<Bf16, 'T', 'H', 'D'> y) {
  Run(x, table, eps, y);
}

}  // namespace touchstone::kernels::rope_qk_norm
