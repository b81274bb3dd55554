// Logits in tiles of up to 128 tokens x 128 logits, a block of 128 threads a tile and up to 16 x 8
// logits a thread, whose sums stay in registers: parts/chain_tiles.cuh.
// architectures: 80 90 100
#include "kernels/parts/dense.h"
#include "kernels/parts/linear_tiles.cuh"
#include "reference/ops/logits/logits.h"

namespace touchstone::kernels::logits {
namespace {

template <typename Storage>
void Run(View<const Storage, 'T', 'C'> x, View<const Storage, 'V', 'C'> weight,
         View<float, 'T', 'V'> y) {
  const int64_t T = Extent<'T'>(x, y), C = Extent<'C'>(x, weight), V = Extent<'V'>(weight, y);
  LinearTiles(Dense(x), Dense(weight), T, V, C, Dense(y));
}

}  // namespace

void register_tiles(View<const float, 'T', 'C'> x, View<const float, 'V', 'C'> weight,
                    View<float, 'T', 'V'> y, int) {
  Run(x, weight, y);
}
void register_tiles(View<const Bf16, 'T', 'C'> x, View<const Bf16, 'V', 'C'> weight,
                    View<float, 'T', 'V'> y, int) {
  Run(x, weight, y);
}

}  // namespace touchstone::kernels::logits
