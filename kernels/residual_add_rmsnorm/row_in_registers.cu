// Residual add and RMSNorm in one pass, one warp a token: both rows are read once, by 16 bytes a
// thread, and the stored sum stays in registers. Two reads and two writes of every element.
// architectures: 80 90 100
//
//   add     thread t of a warp takes channels 8 t ... 8 t + 7 of every stripe of 256. The sum,
//           rounded to storage, is what is stored and normed
//   lanes   its squares join the lanes of rule N4 in the thread that has them
//   fold    parts/octet_lanes.cuh
//   scale   the kept sum by r and by the weight
//
// Rows of up to kStripes * 256 channels, in whole 16-byte loads. Of any other row the sum is read
// back.
#include "kernels/parts/chunk.cuh"
#include "kernels/parts/dense.h"
#include "kernels/parts/octet_lanes.cuh"
#include "kernels/simt/simt.cuh"
#include "reference/ops/chains.h"

namespace touchstone::kernels::residual_add_rmsnorm {
namespace {

constexpr int kWarps = 4;
constexpr int kThreads = kWarps * simt::kWarpSize;
constexpr int kStripes = 20;  // the published width of 5120
constexpr int kAhead = 4;     // stripes that are loaded before one is used
static_assert(kStripes % kAhead == 0);

template <typename Storage>
struct Rows {
  const Storage* h;
  const Storage* delta;
  const Storage* weight;
  Storage* sum;
  Storage* y;
};

// Of this warp, and the first of a thread's channels in each stripe.
__device__ __forceinline__ int64_t Token() {
  return int64_t{blockIdx.x} * kWarps + threadIdx.x / simt::kWarpSize;
}
__device__ __forceinline__ int64_t FirstChannel() { return threadIdx.x % simt::kWarpSize * kOctet; }

template <typename Storage>
__device__ __forceinline__ Octet<Storage> Sum(const Octet<Storage>& h,
                                              const Octet<Storage>& delta) {
  float sum[kOctet];
#pragma unroll
  for (int i = 0; i < kOctet; ++i) sum[i] = h.value(i) + delta.value(i);
  return NarrowOctet<Storage>(sum);
}

__device__ __forceinline__ float Scale(float squares, int64_t C, float eps) {
  return 1.0f / sqrtf(squares / static_cast<float>(C) + eps);
}

template <typename Storage>
__device__ __forceinline__ Octet<Storage> Scaled(const Octet<Storage>& sum,
                                                 const Octet<Storage>& weight, float r) {
  float scaled[kOctet];
#pragma unroll
  for (int i = 0; i < kOctet; ++i) scaled[i] = RoundTo<Storage>(sum.value(i) * r) * weight.value(i);
  return NarrowOctet<Storage>(scaled);
}

template <typename Storage>
__global__ void __launch_bounds__(kThreads)
    RowInRegisters(Rows<Storage> rows, float eps, int64_t T, int64_t C) {
  if (Token() >= T) return;  // the whole warp
  const int64_t row = Token() * C;

  Octet<Storage> kept[kStripes] = {};
#pragma unroll
  for (int s = 0; s < kStripes; ++s) {
    const int64_t c = s * kStripe + FirstChannel();
    if (c < C) kept[s] = LoadOctet(rows.h + row + c, kOctet, true);
  }
  float slot[kOctet] = {};
#pragma unroll
  for (int s = 0; s < kStripes; s += kAhead) {
    const int64_t c = s * kStripe + FirstChannel();
    Octet<Storage> delta[kAhead] = {};
#pragma unroll
    for (int i = 0; i < kAhead; ++i) {
      if (c + i * kStripe < C)
        delta[i] = LoadOctet(rows.delta + row + c + i * kStripe, kOctet, true);
    }
#pragma unroll
    for (int i = 0; i < kAhead; ++i) {
      kept[s + i] = Sum(kept[s + i], delta[i]);
      if (c + i * kStripe < C)
        StoreOctet(kept[s + i], kOctet, true, rows.sum + row + c + i * kStripe);
      JoinSquares(kept[s + i], slot);
    }
  }
  const float r = Scale(FoldOctetLanes<simt::kWarpSize>(slot), C, eps);
#pragma unroll
  for (int s = 0; s < kStripes; s += kAhead) {
    const int64_t c = s * kStripe + FirstChannel();
    Octet<Storage> weight[kAhead] = {};
#pragma unroll
    for (int i = 0; i < kAhead; ++i) {
      if (c + i * kStripe < C) weight[i] = LoadOctet(rows.weight + c + i * kStripe, kOctet, true);
    }
#pragma unroll
    for (int i = 0; i < kAhead; ++i) {
      if (c + i * kStripe >= C) continue;
      StoreOctet(Scaled(kept[s + i], weight[i], r), kOctet, true, rows.y + row + c + i * kStripe);
    }
  }
}

template <typename Storage>
__global__ void __launch_bounds__(kThreads)
    SumReadBack(Rows<Storage> rows, float eps, int64_t T, int64_t C, bool wide) {
  if (Token() >= T) return;  // the whole warp
  const int64_t row = Token() * C;

  float slot[kOctet] = {};
  for (int64_t c = FirstChannel(); c < C; c += kStripe) {
    const Octet<Storage> sum =
        Sum(LoadOctet(rows.h + row + c, C - c, wide), LoadOctet(rows.delta + row + c, C - c, wide));
    StoreOctet(sum, C - c, wide, rows.sum + row + c);
    JoinSquares(sum, slot);
  }
  const float r = Scale(FoldOctetLanes<simt::kWarpSize>(slot), C, eps);
  for (int64_t c = FirstChannel(); c < C; c += kStripe) {
    const Octet<Storage> sum = LoadOctet<Storage>(rows.sum + row + c, C - c, wide);
    StoreOctet(Scaled(sum, LoadOctet(rows.weight + c, C - c, wide), r), C - c, wide,
               rows.y + row + c);
  }
}

template <typename Storage>
void Run(View<const Storage, 'T', 'C'> h, View<const Storage, 'T', 'C'> delta,
         View<const Storage, 'C'> weight, float eps, View<Storage, 'T', 'C'> sum,
         View<Storage, 'T', 'C'> y) {
  const int64_t T = Extent<'T'>(h, delta, sum, y), C = Extent<'C'>(h, delta, weight, sum, y);
  TOUCHSTONE_REQUIRE(C > 0);
  if (T == 0) return;
  const Rows<Storage> rows{Dense(h), Dense(delta), Dense(weight), Dense(sum), Dense(y)};
  const bool wide = IsWide(rows.h, rows.delta, rows.weight, rows.sum, rows.y) && C % kOctet == 0;
  const simt::LaunchConfig config{.grid = dim3(simt::BlocksFor(T, kWarps)),
                                  .block = dim3(kThreads)};
  if (wide && C <= kStripes * kStripe) {
    simt::Launch(config, RowInRegisters<Storage>, rows, eps, T, C);
  } else {
    simt::Launch(config, SumReadBack<Storage>, rows, eps, T, C, wide);
  }
}

}  // namespace

void row_in_registers(View<const float, 'T', 'C'> h, View<const float, 'T', 'C'> delta,
                      View<const float, 'C'> weight, float eps, View<float, 'T', 'C'> sum,
                      View<float, 'T', 'C'> y) {
  Run(h, delta, weight, eps, sum, y);
}
void row_in_registers(View<const Bf16, 'T', 'C'> h, View<const Bf16, 'T', 'C'> delta,
                      View<const Bf16, 'C'> weight, float eps, View<Bf16, 'T', 'C'> sum,
                      View<Bf16, 'T', 'C'> y) {
  Run(h, delta, weight, eps, sum, y);
}

}  // namespace touchstone::kernels::residual_add_rmsnorm
