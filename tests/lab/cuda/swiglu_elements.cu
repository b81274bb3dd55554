// SwiGLU, one thread an element; the launch has a dim3, a constant of this file, and bytes.
#include "kernels/simt/simt.cuh"
#include "reference/arithmetic/functions.h"
#include "reference/formats/bf16.h"

namespace m {

using namespace touchstone;

constexpr int kN = 99;

//touchstone: m::Swiglu<Storage, 99><<<T * F / 99 + 1, dim3(99), 4 * m::kN>>>(gate, up, T * F, y);
template <typename Storage, int kBlock>
__global__ void Swiglu(const Storage* gate, const Storage* up, int64_t count, Storage* y) {
  float* product = simt::DynamicShared<float>();
  const int64_t i = int64_t{blockIdx.x} * kBlock + threadIdx.x;
  if (i >= count) return;
  const float g = Widen(gate[i]);
  product[threadIdx.x] = RoundTo<Storage>(g / (1.0f + Exp(-g)));
  y[i] = Narrow<Storage>(product[threadIdx.x] * Widen(up[i]));
}

}  // namespace m
