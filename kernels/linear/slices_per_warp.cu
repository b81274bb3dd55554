// Linear for few tokens: the slices of a chain lie in different lanes and warps, each weight is
// read once for up to 8 tokens, and many copies are under way: parts/linear_slices.cuh.
// architectures: 80 90 100
#include "kernels/parts/dense.h"
#include "kernels/parts/linear_slices.cuh"
#include "reference/ops/linear/linear.h"

namespace touchstone::kernels::linear {
namespace {

template <typename Storage>
void Run(View<const Storage, 'T', 'C'> x, View<const Storage, 'F', 'C'> weight,
         View<Storage, 'T', 'F'> y) {
  const int64_t T = Extent<'T'>(x, y), C = Extent<'C'>(x, weight), F = Extent<'F'>(weight, y);
  LinearSlices(Dense(x), Dense(weight), T, F, C, Dense(y));
}

}  // namespace

void slices_per_warp(View<const float, 'T', 'C'> x, View<const float, 'F', 'C'> weight,
                     View<float, 'T', 'F'> y, int) {
  Run(x, weight, y);
}
void slices_per_warp(View<const Bf16, 'T', 'C'> x, View<const Bf16, 'F', 'C'> weight,
                     View<Bf16, 'T', 'F'> y, int) {
  Run(x, weight, y);
}

}  // namespace touchstone::kernels::linear
