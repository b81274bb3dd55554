// Logits by cuBLAS: GemmEx, as kernels/linear/cublas_gemm.cu. In bf16 the product is written in
// bf16, which is the op's one rounding, and widened by a launch of our own.
// architectures: 80 90 100
// library: cublas
#include "kernels/cublas/product.h"
#include "kernels/parts/dense.h"
#include "kernels/simt/simt.cuh"
#include "reference/ops/logits/logits.h"

namespace touchstone::kernels::logits {
namespace {

constexpr int kThreads = 256;

__global__ void __launch_bounds__(kThreads) WidenAll(const Bf16* from, int64_t count, float* to) {
  const int64_t i = int64_t{blockIdx.x} * kThreads + threadIdx.x;
  if (i < count) to[i] = Widen(from[i]);
}

}  // namespace

void cublas_gemm(View<const float, 'T', 'C'> x, View<const float, 'V', 'C'> weight,
                 View<float, 'T', 'V'> y, int) {
  const int64_t T = Extent<'T'>(x, y), C = Extent<'C'>(x, weight), V = Extent<'V'>(weight, y);
  cublas::Product(Dense(x), Dense(weight), T, V, C, Dense(y));
}
void cublas_gemm(View<const Bf16, 'T', 'C'> x, View<const Bf16, 'V', 'C'> weight,
                 View<float, 'T', 'V'> y, int) {
  const int64_t T = Extent<'T'>(x, y), C = Extent<'C'>(x, weight), V = Extent<'V'>(weight, y);
  const int64_t count = T * V;
  if (count == 0) return;
  const simt::DeviceBuffer<Bf16> narrow(count);
  cublas::Product(Dense(x), Dense(weight), T, V, C, narrow.data());
  simt::Launch({.grid = dim3(simt::BlocksFor(count, kThreads)), .block = dim3(kThreads)}, WidenAll,
               narrow.data(), count, Dense(y));
}

}  // namespace touchstone::kernels::logits
