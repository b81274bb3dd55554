// Logits for few tokens: the slices of a chain lie in different lanes and warps, each weight is
// read once for up to 8 tokens, and many copies are under way: parts/linear_slices.cuh.
// architectures: 80 90 100
#include "kernels/parts/dense.h"
#include "kernels/parts/linear_slices.cuh"
#include "reference/ops/logits/logits.h"

namespace touchstone::kernels::logits {
namespace {

template <typename Storage>
void Run(View<const Storage, 'T', 'C'> x, View<const Storage, 'V', 'C'> weight,
         View<float, 'T', 'V'> y) {
  const int64_t T = Extent<'T'>(x, y), C = Extent<'C'>(x, weight), V = Extent<'V'>(weight, y);
  LinearSlices(Dense(x), Dense(weight), T, V, C, Dense(y));
}

}  // namespace

void slices_per_warp(View<const float, 'T', 'C'> x, View<const float, 'V', 'C'> weight,
                     View<float, 'T', 'V'> y, int) {
  Run(x, weight, y);
}
void slices_per_warp(View<const Bf16, 'T', 'C'> x, View<const Bf16, 'V', 'C'> weight,
                     View<float, 'T', 'V'> y, int) {
  Run(x, weight, y);
}

}  // namespace touchstone::kernels::logits
