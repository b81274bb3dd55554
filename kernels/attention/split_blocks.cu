// Attention split at the blocks of 512 keys, over a contiguous cache: split_blocks.cuh.
// architectures: 80 90 100
#include "kernels/attention/split_blocks.cuh"
#include "kernels/parts/dense.h"
#include "reference/ops/attention/attention.h"

namespace touchstone::kernels::attention {
namespace {

template <typename Storage>
void Run(View<const Storage, 'T', 'H', 'D'> q, View<const Storage, 'S', 'G', 'D'> keys,
         View<const Storage, 'S', 'G', 'D'> values, View<const int64_t, 'T'> positions,
         int64_t chunk, View<Storage, 'T', 'H', 'D'> y) {
  const Shape shape =
      CheckedShape(Extent<'T'>(q, positions, y), Extent<'S'>(keys, values), Extent<'H'>(q, y),
                   Extent<'G'>(keys, values), Extent<'D'>(q, keys, values, y), chunk);
  const bool wide = IsWide(keys.data, values.data) && shape.D % kChunk<Storage> == 0;
  const int64_t row = shape.G * shape.D;
  RunSplitBlocks(Dense(q), ContiguousRows<Storage>{Dense(keys), row},
                 ContiguousRows<Storage>{Dense(values), row}, Dense(positions), shape, wide,
                 Dense(y));
}

}  // namespace

void split_blocks(View<const float, 'T', 'H', 'D'> q, View<const float, 'S', 'G', 'D'> keys,
                  View<const float, 'S', 'G', 'D'> values, View<const int64_t, 'T'> positions,
                  int64_t chunk, View<float, 'T', 'H', 'D'> y, int) {
  Run(q, keys, values, positions, chunk, y);
}
void split_blocks(View<const Bf16, 'T', 'H', 'D'> q, View<const Bf16, 'S', 'G', 'D'> keys,
                  View<const Bf16, 'S', 'G', 'D'> values, View<const int64_t, 'T'> positions,
                  int64_t chunk, View<Bf16, 'T', 'H', 'D'> y, int) {
  Run(q, keys, values, positions, chunk, y);
}

}  // namespace touchstone::kernels::attention
