// Linear in tiles of up to 128 tokens x 128 outputs, a block of 128 threads a tile and up to 16 x 8
// outputs a thread, whose sums stay in registers: parts/chain_tiles.cuh.
// architectures: 80 90 100
#include "kernels/parts/dense.h"
#include "kernels/parts/linear_tiles.cuh"
#include "reference/ops/linear/linear.h"

namespace touchstone::kernels::linear {
namespace {

template <typename Storage>
void Run(View<const Storage, 'T', 'C'> x, View<const Storage, 'F', 'C'> weight,
         View<Storage, 'T', 'F'> y) {
  const int64_t T = Extent<'T'>(x, y), C = Extent<'C'>(x, weight), F = Extent<'F'>(weight, y);
  LinearTiles(Dense(x), Dense(weight), T, F, C, Dense(y));
}

}  // namespace

void register_tiles(View<const float, 'T', 'C'> x, View<const float, 'F', 'C'> weight,
                    View<float, 'T', 'F'> y, int) {
  Run(x, weight, y);
}
void register_tiles(View<const Bf16, 'T', 'C'> x, View<const Bf16, 'F', 'C'> weight,
                    View<Bf16, 'T', 'F'> y, int) {
  Run(x, weight, y);
}

}  // namespace touchstone::kernels::linear
