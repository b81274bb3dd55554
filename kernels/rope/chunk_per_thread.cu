// RoPE, 16 bytes a thread: adjacent pairs lie in one chunk, so that a thread rotates them alone.
// The cosine and sine of a pair lie in the table where the pair lies in a head.
// architectures: 80 90 100
#include "kernels/parts/chunk.cuh"
#include "kernels/parts/dense.h"
#include "kernels/simt/simt.cuh"
#include "reference/ops/rope/rope.h"

namespace touchstone::kernels::rope {
namespace {

constexpr int kThreads = 128;

// One block a token. `count` is a thread's values: a chunk, or a pair where D is no multiple of it.
template <typename Storage>
__global__ void __launch_bounds__(kThreads)
    ChunkPerThread(const Storage* x, const float* table, int64_t H, int64_t D, int count, bool wide,
                   Storage* y) {
  const float* angles = table + blockIdx.x * D;
  const int64_t token = blockIdx.x * H * D;
  for (int64_t i = int64_t{threadIdx.x} * count; i < H * D; i += kThreads * count) {
    Chunk<Storage> chunk = LoadChunk(x + token + i, count, wide);
    const float* turn = angles + i % D;  // cosine, sine of each pair
#pragma unroll
    for (int j = 0; j < kChunk<Storage>; j += 2) {
      if (j >= count) break;
      const float x0 = Widen(chunk.value[j]), x1 = Widen(chunk.value[j + 1]);
      const float cosine = turn[j], sine = turn[j + 1];
      const float x0_cos = x0 * cosine, x1_sin = x1 * sine;
      const float x0_sin = x0 * sine, x1_cos = x1 * cosine;
      chunk.value[j] = Narrow<Storage>(x0_cos - x1_sin);
      chunk.value[j + 1] = Narrow<Storage>(x0_sin + x1_cos);
    }
    StoreChunk(chunk, count, wide, y + token + i);
  }
}

template <typename Storage>
void Run(View<const Storage, 'T', 'H', 'D'> x, View<const float, 'T', 'J', '2'> table,
         View<Storage, 'T', 'H', 'D'> y) {
  const int64_t T = Extent<'T'>(x, table, y), H = Extent<'H'>(x, y), D = Extent<'D'>(x, y);
  TOUCHSTONE_REQUIRE(D == 2 * Extent<'J'>(table) && Extent<'2'>(table) == 2);
  if (T * H * D == 0) return;
  const int count = D % kChunk<Storage> == 0 ? kChunk<Storage> : 2;
  simt::Launch({.grid = dim3(simt::BlocksFor(T, 1)), .block = dim3(kThreads)},
               ChunkPerThread<Storage>, Dense(x), Dense(table), H, D, count, IsWide(x.data, y.data),
               Dense(y));
}

}  // namespace

void chunk_per_thread(View<const float, 'T', 'H', 'D'> x, View<const float, 'T', 'J', '2'> table,
                      View<float, 'T', 'H', 'D'> y) {
  Run(x, table, y);
}
void chunk_per_thread(View<const Bf16, 'T', 'H', 'D'> x, View<const float, 'T', 'J', '2'> table,
                      View<Bf16, 'T', 'H', 'D'> y) {
  Run(x, table, y);
}

}  // namespace touchstone::kernels::rope
