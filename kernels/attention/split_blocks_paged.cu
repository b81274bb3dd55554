// Attention split at the blocks of 512 keys, over a paged cache: split_blocks.cuh.
// architectures: 80 90 100
//
// The function has the type of a contiguous cache, as all candidates have, and so takes the cache
// to pages before the kernel (parts/paged_cache.cuh).
#include "kernels/attention/split_blocks.cuh"
#include "kernels/parts/dense.h"
#include "kernels/parts/paged_cache.cuh"
#include "reference/ops/attention/attention.h"

namespace touchstone::kernels::attention {
namespace {

template <typename Storage>
void RunPaged(View<const Storage, 'T', 'H', 'D'> q, View<const Storage, 'S', 'G', 'D'> keys,
              View<const Storage, 'S', 'G', 'D'> values, View<const int64_t, 'T'> positions,
              int64_t chunk, View<Storage, 'T', 'H', 'D'> y) {
  const Shape shape =
      CheckedShape(Extent<'T'>(q, positions, y), Extent<'S'>(keys, values), Extent<'H'>(q, y),
                   Extent<'G'>(keys, values), Extent<'D'>(q, keys, values, y), chunk);
  const PagedPool<Storage> key_pool(shape.S, shape.G * shape.D, 0);
  const PagedPool<Storage> value_pool(shape.S, shape.G * shape.D, 2);
  key_pool.Fill(Dense(keys));
  value_pool.Fill(Dense(values));
  RunSplitBlocks(Dense(q), key_pool.cache(), value_pool.cache(), Dense(positions), shape,
                 shape.D % kChunk<Storage> == 0, Dense(y));
}

}  // namespace

void split_blocks_paged(View<const float, 'T', 'H', 'D'> q, View<const float, 'S', 'G', 'D'> keys,
                        View<const float, 'S', 'G', 'D'> values, View<const int64_t, 'T'> positions,
                        int64_t chunk, View<float, 'T', 'H', 'D'> y, int) {
  RunPaged(q, keys, values, positions, chunk, y);
}
void split_blocks_paged(View<const Bf16, 'T', 'H', 'D'> q, View<const Bf16, 'S', 'G', 'D'> keys,
                        View<const Bf16, 'S', 'G', 'D'> values, View<const int64_t, 'T'> positions,
                        int64_t chunk, View<Bf16, 'T', 'H', 'D'> y, int) {
  RunPaged(q, keys, values, positions, chunk, y);
}

}  // namespace touchstone::kernels::attention
