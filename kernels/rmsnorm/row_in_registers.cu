// RMSNorm, one warp a token: the row is read once, by 16 bytes a thread, and stays in registers.
// architectures: 80 90 100
//
//   load    thread t of a warp takes channels 8 t ... 8 t + 7 of every stripe of 256; all loads are
//           issued before the first is used
//   lanes   the squares join the lanes of rule N4 in the thread that has them
//   fold    parts/octet_lanes.cuh
//   scale   the kept row by r and by the weight
//
// Rows of up to kStripes * 256 channels, in whole 16-byte loads. Any other row is read twice.
#include "kernels/parts/chunk.cuh"
#include "kernels/parts/dense.h"
#include "kernels/parts/octet_lanes.cuh"
#include "kernels/simt/simt.cuh"
#include "reference/ops/rmsnorm/rmsnorm.h"

namespace touchstone::kernels::rmsnorm {
namespace {

constexpr int kWarps = 4;
constexpr int kThreads = kWarps * simt::kWarpSize;
constexpr int kStripes = 20;  // the published width of 5120
constexpr int kAhead = 4;     // stripes of the weight that are loaded before one is used
static_assert(kStripes % kAhead == 0);

// Of this warp, and the first of a thread's channels in each stripe.
__device__ __forceinline__ int64_t Token() {
  return int64_t{blockIdx.x} * kWarps + threadIdx.x / simt::kWarpSize;
}
__device__ __forceinline__ int64_t FirstChannel() { return threadIdx.x % simt::kWarpSize * kOctet; }

__device__ __forceinline__ float Scale(float sum, int64_t C, float eps) {
  return 1.0f / sqrtf(sum / static_cast<float>(C) + eps);
}

template <typename Storage>
__device__ __forceinline__ void Store(const Octet<Storage>& row, const Octet<Storage>& weight,
                                      float r, int64_t count, bool wide, Storage* y) {
  float scaled[kOctet];
#pragma unroll
  for (int i = 0; i < kOctet; ++i) {
    scaled[i] = RoundTo<Storage>(row.value(i) * r) * weight.value(i);
  }
  StoreOctet(NarrowOctet<Storage>(scaled), count, wide, y);
}

template <typename Storage>
__global__ void __launch_bounds__(kThreads)
    RowInRegisters(const Storage* x, const Storage* weight, float eps, int64_t T, int64_t C,
                   Storage* y) {
  if (Token() >= T) return;  // the whole warp
  const int64_t row = Token() * C;

  Octet<Storage> kept[kStripes] = {};
#pragma unroll
  for (int s = 0; s < kStripes; ++s) {
    const int64_t c = s * kStripe + FirstChannel();
    if (c < C) kept[s] = LoadOctet(x + row + c, kOctet, true);
  }
  float slot[kOctet] = {};
#pragma unroll
  for (int s = 0; s < kStripes; ++s) JoinSquares(kept[s], slot);
  const float r = Scale(FoldOctetLanes<simt::kWarpSize>(slot), C, eps);
#pragma unroll
  for (int s = 0; s < kStripes; s += kAhead) {
    const int64_t c = s * kStripe + FirstChannel();
    Octet<Storage> w[kAhead] = {};
#pragma unroll
    for (int i = 0; i < kAhead; ++i) {
      if (c + i * kStripe < C) w[i] = LoadOctet(weight + c + i * kStripe, kOctet, true);
    }
#pragma unroll
    for (int i = 0; i < kAhead; ++i) {
      if (c + i * kStripe >= C) continue;
      Store(kept[s + i], w[i], r, kOctet, true, y + row + c + i * kStripe);
    }
  }
}

template <typename Storage>
__global__ void __launch_bounds__(kThreads)
    RowReadTwice(const Storage* x, const Storage* weight, float eps, int64_t T, int64_t C,
                 bool wide, Storage* y) {
  if (Token() >= T) return;  // the whole warp
  const int64_t row = Token() * C;

  float slot[kOctet] = {};
  for (int64_t c = FirstChannel(); c < C; c += kStripe) {
    JoinSquares(LoadOctet(x + row + c, C - c, wide), slot);
  }
  const float r = Scale(FoldOctetLanes<simt::kWarpSize>(slot), C, eps);
  for (int64_t c = FirstChannel(); c < C; c += kStripe) {
    Store(LoadOctet(x + row + c, C - c, wide), LoadOctet(weight + c, C - c, wide), r, C - c, wide,
          y + row + c);
  }
}

template <typename Storage>
void Run(View<const Storage, 'T', 'C'> x, View<const Storage, 'C'> weight, float eps,
         View<Storage, 'T', 'C'> y) {
  const int64_t T = Extent<'T'>(x, y), C = Extent<'C'>(x, weight, y);
  TOUCHSTONE_REQUIRE(C > 0);
  if (T == 0) return;
  const bool wide = IsWide(x.data, weight.data, y.data) && C % kOctet == 0;
  const simt::LaunchConfig config{.grid = dim3(simt::BlocksFor(T, kWarps)),
                                  .block = dim3(kThreads)};
  if (wide && C <= kStripes * kStripe) {
    simt::Launch(config, RowInRegisters<Storage>, Dense(x), Dense(weight), eps, T, C, Dense(y));
  } else {
    simt::Launch(config, RowReadTwice<Storage>, Dense(x), Dense(weight), eps, T, C, wide, Dense(y));
  }
}

}  // namespace

void row_in_registers(View<const float, 'T', 'C'> x, View<const float, 'C'> weight, float eps,
                      View<float, 'T', 'C'> y) {
  Run(x, weight, eps, y);
}
void row_in_registers(View<const Bf16, 'T', 'C'> x, View<const Bf16, 'C'> weight, float eps,
                      View<Bf16, 'T', 'C'> y) {
  Run(x, weight, eps, y);
}

}  // namespace touchstone::kernels::rmsnorm
