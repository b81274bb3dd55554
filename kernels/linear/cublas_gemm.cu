// Linear by cuBLAS: GemmEx, in binary32 or in bf16 with sums in binary32. The order of its sums is
// its own, so that it is a bounded candidate.
// architectures: 80 90 100
// library: cublas
#include "kernels/cublas/product.h"
#include "kernels/parts/dense.h"
#include "reference/ops/linear/linear.h"

namespace touchstone::kernels::linear {
namespace {

template <typename Storage>
void Run(View<const Storage, 'T', 'C'> x, View<const Storage, 'F', 'C'> weight,
         View<Storage, 'T', 'F'> y) {
  const int64_t T = Extent<'T'>(x, y), C = Extent<'C'>(x, weight), F = Extent<'F'>(weight, y);
  cublas::Product(Dense(x), Dense(weight), T, F, C, Dense(y));
}

}  // namespace

void cublas_gemm(View<const float, 'T', 'C'> x, View<const float, 'F', 'C'> weight,
                 View<float, 'T', 'F'> y, int) {
  Run(x, weight, y);
}
void cublas_gemm(View<const Bf16, 'T', 'C'> x, View<const Bf16, 'F', 'C'> weight,
                 View<Bf16, 'T', 'F'> y, int) {
  Run(x, weight, y);
}

}  // namespace touchstone::kernels::linear
