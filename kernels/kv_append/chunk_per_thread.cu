// KV append to a contiguous cache: the new rows lie side by side there, so that keys and values are
// two copies, 16 bytes a thread.
// architectures: 80 90 100
#include "kernels/parts/chunk.cuh"
#include "kernels/parts/dense.h"
#include "kernels/simt/simt.cuh"
#include "reference/ops/kv_append/kv_append.h"

namespace touchstone::kernels::kv_append {
namespace {

constexpr int kThreads = 256;

// blockIdx.y: 0 copies k to keys, 1 copies v to values.
template <typename Storage>
__global__ void __launch_bounds__(kThreads)
    ChunkPerThread(const Storage* k, const Storage* v, int64_t elements, bool wide, Storage* keys,
                   Storage* values) {
  const int64_t i = (int64_t{blockIdx.x} * kThreads + threadIdx.x) * kChunk<Storage>;
  if (i >= elements) return;
  const Storage* from = blockIdx.y == 0 ? k : v;
  Storage* to = blockIdx.y == 0 ? keys : values;
  StoreChunk(LoadChunk(from + i, elements - i, wide), elements - i, wide, to + i);
}

template <typename Storage>
void Run(View<const Storage, 'T', 'G', 'D'> k, View<const Storage, 'T', 'G', 'D'> v, int64_t first,
         View<Storage, 'S', 'G', 'D'> keys, View<Storage, 'S', 'G', 'D'> values) {
  const int64_t T = Extent<'T'>(k, v), S = Extent<'S'>(keys, values);
  const int64_t row = Extent<'G'>(k, v, keys, values) * Extent<'D'>(k, v, keys, values);
  TOUCHSTONE_REQUIRE(0 <= first && first <= S - T);
  if (T * row == 0) return;
  Storage* new_keys = Dense(keys) + first * row;
  Storage* new_values = Dense(values) + first * row;
  const unsigned blocks = simt::BlocksFor(T * row, kThreads * kChunk<Storage>);
  simt::Launch({.grid = dim3(blocks, 2), .block = dim3(kThreads)}, ChunkPerThread<Storage>,
               Dense(k), Dense(v), T * row, IsWide(k.data, v.data, new_keys, new_values), new_keys,
               new_values);
}

}  // namespace

void chunk_per_thread(View<const float, 'T', 'G', 'D'> k, View<const float, 'T', 'G', 'D'> v,
                      int64_t first, View<float, 'S', 'G', 'D'> keys,
                      View<float, 'S', 'G', 'D'> values) {
  Run(k, v, first, keys, values);
}
void chunk_per_thread(View<const Bf16, 'T', 'G', 'D'> k, View<const Bf16, 'T', 'G', 'D'> v,
                      int64_t first, View<Bf16, 'S', 'G', 'D'> keys,
                      View<Bf16, 'S', 'G', 'D'> values) {
  Run(k, v, first, keys, values);
}

}  // namespace touchstone::kernels::kv_append
