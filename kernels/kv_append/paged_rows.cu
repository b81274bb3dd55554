// KV append to a paged cache, one block a token: its key and its value go to its position's page.
// architectures: 80 90 100
//
// The function has the type of a contiguous cache, as all candidates have, and so takes the cache
// to pages and back around the kernel (parts/paged_cache.cuh).
#include "kernels/parts/chunk.cuh"
#include "kernels/parts/dense.h"
#include "kernels/parts/paged_cache.cuh"
#include "kernels/simt/simt.cuh"
#include "reference/ops/kv_append/kv_append.h"

namespace touchstone::kernels::kv_append {
namespace {

constexpr int kThreads = 128;

template <typename Storage>
__global__ void __launch_bounds__(kThreads)
    PagedRows(const Storage* k, const Storage* v, int64_t first, bool wide,
              PagedCache<Storage> keys, PagedCache<Storage> values) {
  const int64_t row = keys.row;
  const Storage* key = k + blockIdx.x * row;
  const Storage* value = v + blockIdx.x * row;
  Storage* key_out = keys.Row(first + blockIdx.x);
  Storage* value_out = values.Row(first + blockIdx.x);
  for (int64_t i = threadIdx.x * kChunk<Storage>; i < row; i += kThreads * kChunk<Storage>) {
    StoreChunk(LoadChunk(key + i, row - i, wide), row - i, wide, key_out + i);
    StoreChunk(LoadChunk(value + i, row - i, wide), row - i, wide, value_out + i);
  }
}

template <typename Storage>
void Run(View<const Storage, 'T', 'G', 'D'> k, View<const Storage, 'T', 'G', 'D'> v, int64_t first,
         View<Storage, 'S', 'G', 'D'> keys, View<Storage, 'S', 'G', 'D'> values) {
  const int64_t T = Extent<'T'>(k, v), S = Extent<'S'>(keys, values);
  const int64_t row = Extent<'G'>(k, v, keys, values) * Extent<'D'>(k, v, keys, values);
  TOUCHSTONE_REQUIRE(0 <= first && first <= S - T);
  if (T * row == 0) return;
  const PagedPool<Storage> key_pool(S, row, 0), value_pool(S, row, 2);
  key_pool.Fill(Dense(keys));
  value_pool.Fill(Dense(values));
  const bool wide = IsWide(k.data, v.data) && row % kChunk<Storage> == 0;
  simt::Launch({.grid = dim3(simt::BlocksFor(T, 1)), .block = dim3(kThreads)}, PagedRows<Storage>,
               Dense(k), Dense(v), first, wide, key_pool.cache(), value_pool.cache());
  key_pool.Return(keys.data);
  value_pool.Return(values.data);
}

}  // namespace

void paged_rows(View<const float, 'T', 'G', 'D'> k, View<const float, 'T', 'G', 'D'> v,
                int64_t first, View<float, 'S', 'G', 'D'> keys, View<float, 'S', 'G', 'D'> values) {
  Run(k, v, first, keys, values);
}
void paged_rows(View<const Bf16, 'T', 'G', 'D'> k, View<const Bf16, 'T', 'G', 'D'> v, int64_t first,
                View<Bf16, 'S', 'G', 'D'> keys, View<Bf16, 'S', 'G', 'D'> values) {
  Run(k, v, first, keys, values);
}

}  // namespace touchstone::kernels::kv_append
