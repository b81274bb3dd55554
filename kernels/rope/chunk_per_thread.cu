// RoPE, 16 bytes a thread: adjacent pairs lie in one chunk, so that a thread rotates them alone.
// The cosine and sine of a pair lie in the table where the pair lies in a head.
// architectures: 80 90 100
#include "kernels/parts/chunk.cuh"
#include "kernels/parts/dense.h"
#include "kernels/parts/rotate.cuh"
#include "kernels/simt/simt.cuh"
#include "reference/ops/rope/rope.h"

namespace touchstone::kernels::rope {
namespace {

constexpr int kThreads = 128;

// One block a token. A thread takes kCount values at once: a chunk, or a pair where D is no
// multiple of a chunk or an address is none of 16. `d` is where they lie in their head.
template <typename Storage, int kCount>
__global__ void __launch_bounds__(kThreads)
    ChunkPerThread(const Storage* x, const float* table, int64_t H, int64_t D, Storage* y) {
  constexpr bool kWide = kCount == kChunk<Storage>;
  const float* angles = table + blockIdx.x * D;
  const int64_t token = blockIdx.x * H * D;
  const int64_t step = kThreads * kCount % D;
  int64_t d = threadIdx.x * kCount % D;
  for (int64_t i = threadIdx.x * kCount; i < H * D; i += kThreads * kCount) {
    Chunk<Storage> chunk = LoadChunk(x + token + i, kCount, kWide);
    float turn[kCount];  // cosine, sine of each pair
#pragma unroll
    for (int j = 0; j < kCount; j += kChunk<float>) {
      const Chunk<float> part = LoadChunk(angles + d + j, kCount - j, kWide);
#pragma unroll
      for (int k = 0; k < kChunk<float> && j + k < kCount; ++k) turn[j + k] = part.value[k];
    }
#pragma unroll
    for (int j = 0; j < kCount; j += 2) {
      const Rotated pair =
          Rotate(Widen(chunk.value[j]), Widen(chunk.value[j + 1]), turn[j], turn[j + 1]);
      chunk.value[j] = Narrow<Storage>(pair.even);
      chunk.value[j + 1] = Narrow<Storage>(pair.odd);
    }
    StoreChunk(chunk, kCount, kWide, y + token + i);
    d += step;
    if (d >= D) d -= D;
  }
}

template <typename Storage>
void Run(View<const Storage, 'T', 'H', 'D'> x, View<const float, 'T', 'J', '2'> table,
         View<Storage, 'T', 'H', 'D'> y) {
  const int64_t T = Extent<'T'>(x, table, y), H = Extent<'H'>(x, y), D = Extent<'D'>(x, y);
  TOUCHSTONE_REQUIRE(D == 2 * Extent<'J'>(table) && Extent<'2'>(table) == 2);
  if (T * H * D == 0) return;
  const simt::LaunchConfig config{.grid = dim3(simt::BlocksFor(T, 1)), .block = dim3(kThreads)};
  if (IsWide(x.data, y.data, table.data) && D % kChunk<Storage> == 0) {
    simt::Launch(config, ChunkPerThread<Storage, kChunk<Storage>>, Dense(x), Dense(table), H, D,
                 Dense(y));
  } else {
    simt::Launch(config, ChunkPerThread<Storage, 2>, Dense(x), Dense(table), H, D, Dense(y));
  }
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
