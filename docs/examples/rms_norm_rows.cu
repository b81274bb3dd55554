// RMSNorm, one block of 256 threads a token: thread j is lane j of rule N4.
// touchstone: RmsNormRows<Storage><<<T, 256>>>(x, weight, eps, C, y)
#include "kernels/simt/simt.cuh"
#include "reference/formats/bf16.h"

using namespace touchstone;

struct Lanes {
  float lane[256];
};

template <typename Storage>
__global__ void RmsNormRows(const Storage* x, const Storage* weight, float eps, int64_t C,
                            Storage* y) {
  Lanes& shared = simt::Shared<Lanes>();
  const unsigned j = threadIdx.x;
  const Storage* row = x + blockIdx.x * C;
  Storage* out = y + blockIdx.x * C;

  float sum = 0.0f;
  for (int64_t c = j; c < C; c += 256) sum = fmaf(Widen(row[c]), Widen(row[c]), sum);
  shared.lane[j] = sum;
  __syncthreads();
  for (unsigned half = 128; half > 0; half /= 2) {
    if (j < half) shared.lane[j] += shared.lane[j + half];
    __syncthreads();
  }

  const float r = 1.0f / sqrtf(shared.lane[0] / static_cast<float>(C) + eps);
  for (int64_t c = j; c < C; c += 256) {
    out[c] = Narrow<Storage>(RoundTo<Storage>(Widen(row[c]) * r) * Widen(weight[c]));
  }
}
