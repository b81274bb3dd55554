// A stage is filled again while others still read it: there must be a barrier before the issue.
#include "kernels/ptx/cp_async.cuh"
#include "kernels/simt/simt.cuh"
#include "tests/simt/planted/planted.h"
#include "tests/simt/planted/read_back.h"

namespace touchstone::simt::planted {
namespace {

struct Stage {
  alignas(16) float value[kThreads];
};

__global__ void SumOfTiles(bool planted, const float* in, float* out) {
  auto& stage = Shared<Stage>();
  const unsigned t = threadIdx.x;
  float sum = 0.0f;
  for (int tile = 0; tile < 2; ++tile) {
    if (!planted) __syncthreads();
    if (t % 4 == 0) ptx::CpAsync16(&stage.value[t], in + tile * kThreads + t);
    ptx::CpAsyncCommit();
    ptx::CpAsyncWait<0>();
    __syncthreads();
    sum += stage.value[kThreads - 1 - t];
  }
  out[t] = sum;
}

}  // namespace

std::vector<float> OverwrittenCopy(bool planted) {
  const DeviceBuffer<float> in(2 * kThreads), out(kThreads);
  Count(in, 2 * kThreads);
  Launch({.grid = dim3(1), .block = dim3(kThreads)}, SumOfTiles, planted, in.data(), out.data());
  return ReadBack(out, kThreads);
}

}  // namespace touchstone::simt::planted
