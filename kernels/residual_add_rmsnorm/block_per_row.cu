// Residual add and RMSNorm in one pass, one block of 256 threads a token: thread j is lane j of
// rule N4. The stored sum, rounded, is what is normed.
// architectures: 80 90 100
//
//   pass 1   thread j adds and stores channels j, j + 256, ..., and sums their squares by fma
//   fold     parts/lane_fold.cuh
//   pass 2   thread j scales the channels that it stored; they come from the caches
#include "kernels/parts/dense.h"
#include "kernels/parts/lane_fold.cuh"
#include "kernels/simt/simt.cuh"
#include "reference/ops/chains.h"

namespace touchstone::kernels::residual_add_rmsnorm {
namespace {

constexpr int kThreads = 256;

template <typename Storage>
__global__ void __launch_bounds__(kThreads)
    BlockPerRow(const Storage* h, const Storage* delta, const Storage* weight, float eps, int64_t C,
                Storage* sum, Storage* y) {
  const int64_t row = blockIdx.x * C;
  float lane = 0.0f;
  for (int64_t c = threadIdx.x; c < C; c += kThreads) {
    const Storage stored = Narrow<Storage>(Widen(h[row + c]) + Widen(delta[row + c]));
    sum[row + c] = stored;
    lane = fmaf(Widen(stored), Widen(stored), lane);
  }
  const float squares = FoldLanes(lane, simt::Shared<LaneFoldShared>());

  const float r = 1.0f / sqrtf(squares / static_cast<float>(C) + eps);
  for (int64_t c = threadIdx.x; c < C; c += kThreads) {
    y[row + c] = Narrow<Storage>(RoundTo<Storage>(Widen(sum[row + c]) * r) * Widen(weight[c]));
  }
}

template <typename Storage>
void Run(View<const Storage, 'T', 'C'> h, View<const Storage, 'T', 'C'> delta,
         View<const Storage, 'C'> weight, float eps, View<Storage, 'T', 'C'> sum,
         View<Storage, 'T', 'C'> y) {
  const int64_t T = Extent<'T'>(h, delta, sum, y), C = Extent<'C'>(h, delta, weight, sum, y);
  TOUCHSTONE_REQUIRE(C > 0);
  if (T == 0) return;
  simt::Launch({.grid = dim3(simt::BlocksFor(T, 1)), .block = dim3(kThreads)}, BlockPerRow<Storage>,
               Dense(h), Dense(delta), Dense(weight), eps, C, Dense(sum), Dense(y));
}

}  // namespace

void block_per_row(View<const float, 'T', 'C'> h, View<const float, 'T', 'C'> delta,
                   View<const float, 'C'> weight, float eps, View<float, 'T', 'C'> sum,
                   View<float, 'T', 'C'> y) {
  Run(h, delta, weight, eps, sum, y);
}
void block_per_row(View<const Bf16, 'T', 'C'> h, View<const Bf16, 'T', 'C'> delta,
                   View<const Bf16, 'C'> weight, float eps, View<Bf16, 'T', 'C'> sum,
                   View<Bf16, 'T', 'C'> y) {
  Run(h, delta, weight, eps, sum, y);
}

}  // namespace touchstone::kernels::residual_add_rmsnorm
