// Router, one warp a token; the whole order of rule N6 is that of one integer a logit.
// architectures: 80 90 100
//
//   rank    OrderKey(v) over the complement of the expert's index, as 64 bits: NaN above all, then
//           the larger logit, then the lower index
//   choose  choice a is the largest rank below that of choice a - 1: a pass over the logits, lanes
//           side by side, then two reductions of the warp; nothing is marked as taken
//   score   lane a mod 32 keeps choice a; every 32 choices the lanes compute their scores at once
#include "kernels/router/warp_per_token.h"

#include "kernels/parts/dense.h"
#include "kernels/parts/order_key.cuh"
#include "kernels/simt/simt.cuh"
#include "reference/arithmetic/functions.h"

namespace touchstone::kernels::router {
namespace {

constexpr int kThreads = 128;
constexpr int kTokens = kThreads / simt::kWarpSize;  // of a block

template <typename Storage>
__global__ void __launch_bounds__(kThreads)
    WarpPerToken(const Storage* logits, int64_t T, int64_t E, int64_t A, int64_t* chosen,
                 Storage* scores) {
  const unsigned lane = threadIdx.x % simt::kWarpSize;
  const int64_t t = int64_t{blockIdx.x} * kTokens + threadIdx.x / simt::kWarpSize;
  if (t >= T) return;  // the whole warp
  const Storage* row = logits + t * E;

  uint64_t last = ~uint64_t{0};  // above the rank of every expert
  int64_t mine = 0;
  for (int64_t a = 0; a < A; ++a) {
    uint64_t best = 0;  // below the rank of every expert
    for (int64_t e = lane; e < E; e += simt::kWarpSize) {
      const uint64_t rank = uint64_t{OrderKey(Widen(row[e]))} << 32 | ~static_cast<uint32_t>(e);
      if (rank < last && rank > best) best = rank;
    }
    const unsigned key = __reduce_max_sync(simt::kWholeWarp, static_cast<unsigned>(best >> 32));
    const bool holds = static_cast<unsigned>(best >> 32) == key;
    const unsigned index =
        __reduce_max_sync(simt::kWholeWarp, holds ? static_cast<unsigned>(best) : 0u);
    last = uint64_t{key} << 32 | index;

    const unsigned slot = static_cast<unsigned>(a % simt::kWarpSize);
    if (lane == slot) mine = static_cast<uint32_t>(~index);
    if ((slot == simt::kWarpSize - 1 || a == A - 1) && lane <= slot) {
      const int64_t at = t * A + a - slot + lane;
      chosen[at] = mine;
      scores[at] = Narrow<Storage>(1.0f / (1.0f + Exp(-Widen(row[mine]))));
    }
  }
}

template <typename Storage>
void Run(View<const Storage, 'T', 'E'> logits, View<int64_t, 'T', 'A'> chosen,
         View<Storage, 'T', 'A'> scores) {
  const int64_t T = Extent<'T'>(logits, chosen, scores), E = Extent<'E'>(logits);
  const int64_t A = Extent<'A'>(chosen, scores);
  TOUCHSTONE_REQUIRE(0 < A && A <= E && E <= int64_t{0xffffffff});
  if (T == 0) return;
  simt::Launch({.grid = dim3(simt::BlocksFor(T, kTokens)), .block = dim3(kThreads)},
               WarpPerToken<Storage>, Dense(logits), T, E, A, Dense(chosen), Dense(scores));
}

}  // namespace

void warp_per_token(View<const float, 'T', 'E'> logits, View<int64_t, 'T', 'A'> chosen,
                    View<float, 'T', 'A'> scores) {
  Run(logits, chosen, scores);
}
void warp_per_token(View<const Bf16, 'T', 'E'> logits, View<int64_t, 'T', 'A'> chosen,
                    View<Bf16, 'T', 'A'> scores) {
  Run(logits, chosen, scores);
}

}  // namespace touchstone::kernels::router
