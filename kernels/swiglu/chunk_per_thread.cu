// SwiGLU, 16 bytes a thread. The exponential is correctly rounded, in binary64.
// architectures: 80 90 100
#include "kernels/parts/chunk.cuh"
#include "kernels/parts/dense.h"
#include "kernels/simt/simt.cuh"
#include "reference/arithmetic/functions.h"
#include "reference/ops/swiglu/swiglu.h"

namespace touchstone::kernels::swiglu {
namespace {

constexpr int kThreads = 256;

template <typename Storage>
__global__ void __launch_bounds__(kThreads)
    ChunkPerThread(const Storage* gate, const Storage* up, int64_t elements, bool wide,
                   Storage* y) {
  const int64_t i = (int64_t{blockIdx.x} * kThreads + threadIdx.x) * kChunk<Storage>;
  if (i >= elements) return;
  Chunk<Storage> product = LoadChunk(gate + i, elements - i, wide);
  const Chunk<Storage> lifted = LoadChunk(up + i, elements - i, wide);
#pragma unroll
  for (int j = 0; j < kChunk<Storage>; ++j) {
    const float g = Widen(product.value[j]);
    const float silu = RoundTo<Storage>(g / (1.0f + Exp(-g)));
    product.value[j] = Narrow<Storage>(silu * Widen(lifted.value[j]));
  }
  StoreChunk(product, elements - i, wide, y + i);
}

template <typename Storage>
void Run(View<const Storage, 'T', 'F'> gate, View<const Storage, 'T', 'F'> up,
         View<Storage, 'T', 'F'> y) {
  const int64_t elements = Extent<'T'>(gate, up, y) * Extent<'F'>(gate, up, y);
  if (elements == 0) return;
  const unsigned blocks = simt::BlocksFor(elements, kThreads * kChunk<Storage>);
  simt::Launch({.grid = dim3(blocks), .block = dim3(kThreads)}, ChunkPerThread<Storage>,
               Dense(gate), Dense(up), elements, IsWide(gate.data, up.data, y.data), Dense(y));
}

}  // namespace

void chunk_per_thread(View<const float, 'T', 'F'> gate, View<const float, 'T', 'F'> up,
                      View<float, 'T', 'F'> y) {
  Run(gate, up, y);
}
void chunk_per_thread(View<const Bf16, 'T', 'F'> gate, View<const Bf16, 'T', 'F'> up,
                      View<Bf16, 'T', 'F'> y) {
  Run(gate, up, y);
}

}  // namespace touchstone::kernels::swiglu
