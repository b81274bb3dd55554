// Residual add, 16 bytes a thread. Memory-bound: two reads and a write of every element.
// architectures: 80 90 100
#include "kernels/parts/chunk.cuh"
#include "kernels/parts/dense.h"
#include "kernels/simt/simt.cuh"
#include "reference/ops/residual_add/residual_add.h"

namespace touchstone::kernels::residual_add {
namespace {

constexpr int kThreads = 256;

template <typename Storage>
__global__ void __launch_bounds__(kThreads)
    ChunkPerThread(const Storage* a, const Storage* b, int64_t elements, bool wide, Storage* y) {
  const int64_t i = (int64_t{blockIdx.x} * kThreads + threadIdx.x) * kChunk<Storage>;
  if (i >= elements) return;
  Chunk<Storage> sum = LoadChunk(a + i, elements - i, wide);
  const Chunk<Storage> other = LoadChunk(b + i, elements - i, wide);
#pragma unroll
  for (int j = 0; j < kChunk<Storage>; ++j) {
    sum.value[j] = Narrow<Storage>(Widen(sum.value[j]) + Widen(other.value[j]));
  }
  StoreChunk(sum, elements - i, wide, y + i);
}

template <typename Storage>
void Run(View<const Storage, 'T', 'C'> a, View<const Storage, 'T', 'C'> b,
         View<Storage, 'T', 'C'> y) {
  const int64_t elements = Extent<'T'>(a, b, y) * Extent<'C'>(a, b, y);
  if (elements == 0) return;
  const unsigned blocks = simt::BlocksFor(elements, kThreads * kChunk<Storage>);
  simt::Launch({.grid = dim3(blocks), .block = dim3(kThreads)}, ChunkPerThread<Storage>, Dense(a),
               Dense(b), elements, IsWide(a.data, b.data, y.data), Dense(y));
}

}  // namespace

void chunk_per_thread(View<const float, 'T', 'C'> a, View<const float, 'T', 'C'> b,
                      View<float, 'T', 'C'> y) {
  Run(a, b, y);
}
void chunk_per_thread(View<const Bf16, 'T', 'C'> a, View<const Bf16, 'T', 'C'> b,
                      View<Bf16, 'T', 'C'> y) {
  Run(a, b, y);
}

}  // namespace touchstone::kernels::residual_add
