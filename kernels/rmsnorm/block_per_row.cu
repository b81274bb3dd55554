// RMSNorm, one block of 256 threads a token: thread j is lane j of rule N4.
// architectures: 80 90 100
//
//   pass 1   thread j adds the squares of channels j, j + 256, ... by fma, ascending
//   fold     parts/lane_fold.cuh
//   pass 2   thread j scales the same channels; the row comes from the caches
#include "kernels/parts/dense.h"
#include "kernels/parts/lane_fold.cuh"
#include "kernels/simt/simt.cuh"
#include "reference/ops/rmsnorm/rmsnorm.h"

namespace touchstone::kernels::rmsnorm {
namespace {

constexpr int kThreads = 256;

template <typename Storage>
__global__ void __launch_bounds__(kThreads)
    BlockPerRow(const Storage* x, const Storage* weight, float eps, int64_t C, Storage* y) {
  const Storage* row = x + blockIdx.x * C;
  Storage* out = y + blockIdx.x * C;

  float lane = 0.0f;
  for (int64_t c = threadIdx.x; c < C; c += kThreads) {
    const float value = Widen(row[c]);
    lane = fmaf(value, value, lane);
  }
  const float sum = FoldLanes(lane, simt::Shared<LaneFoldShared>());

  const float r = 1.0f / sqrtf(sum / static_cast<float>(C) + eps);
  for (int64_t c = threadIdx.x; c < C; c += kThreads) {
    out[c] = Narrow<Storage>(RoundTo<Storage>(Widen(row[c]) * r) * Widen(weight[c]));
  }
}

template <typename Storage>
void Run(View<const Storage, 'T', 'C'> x, View<const Storage, 'C'> weight, float eps,
         View<Storage, 'T', 'C'> y) {
  const int64_t T = Extent<'T'>(x, y), C = Extent<'C'>(x, weight, y);
  TOUCHSTONE_REQUIRE(C > 0);
  if (T == 0) return;
  simt::Launch({.grid = dim3(simt::BlocksFor(T, 1)), .block = dim3(kThreads)}, BlockPerRow<Storage>,
               Dense(x), Dense(weight), eps, C, Dense(y));
}

}  // namespace

void block_per_row(View<const float, 'T', 'C'> x, View<const float, 'C'> weight, float eps,
                   View<float, 'T', 'C'> y) {
  Run(x, weight, eps, y);
}
void block_per_row(View<const Bf16, 'T', 'C'> x, View<const Bf16, 'C'> weight, float eps,
                   View<Bf16, 'T', 'C'> y) {
  Run(x, weight, eps, y);
}

}  // namespace touchstone::kernels::rmsnorm
