// Expert linear by cuBLAS: one grouped product over the experts that have rows
// (cublasGemmGroupedBatchedEx). The offsets come back to the host first. The order of the sums is
// cuBLAS's own, so that it is a bounded candidate.
// architectures: 80 90 100
// library: cublas
#include <vector>

#include "kernels/cublas/product.h"
#include "kernels/parts/dense.h"
#include "kernels/simt/simt.cuh"
#include "reference/ops/expert_linear/expert_linear.h"

namespace touchstone::kernels::expert_linear {
namespace {

template <typename Storage>
void Run(View<const Storage, 'R', 'C'> x, View<const Storage, 'E', 'F', 'C'> weight,
         View<const int64_t, 'O'> offsets, View<Storage, 'R', 'F'> y) {
  const int64_t R = Extent<'R'>(x, y), E = Extent<'E'>(weight);
  const int64_t C = Extent<'C'>(x, weight), F = Extent<'F'>(weight, y);
  TOUCHSTONE_REQUIRE(Extent<'O'>(offsets) == E + 1);
  std::vector<int64_t> rows(static_cast<size_t>(E + 1));
  simt::CopyToHost(rows.data(), Dense(offsets), rows.size() * sizeof(int64_t));
  TOUCHSTONE_REQUIRE(rows.front() == 0 && rows.back() == R);
  cublas::GroupedProduct(Dense(x), Dense(weight), rows.data(), E, F, C, Dense(y));
}

}  // namespace

void cublas_grouped(View<const float, 'R', 'C'> x, View<const float, 'E', 'F', 'C'> weight,
                    View<const int64_t, 'O'> offsets, View<float, 'R', 'F'> y, int) {
  Run(x, weight, offsets, y);
}
void cublas_grouped(View<const Bf16, 'R', 'C'> x, View<const Bf16, 'E', 'F', 'C'> weight,
                    View<const int64_t, 'O'> offsets, View<Bf16, 'R', 'F'> y, int) {
  Run(x, weight, offsets, y);
}

}  // namespace touchstone::kernels::expert_linear
