// One warp of two waits at a barrier that the other does not reach.
#include "kernels/simt/simt.cuh"
#include "tests/simt/planted/planted.h"
#include "tests/simt/planted/read_back.h"

namespace touchstone::simt::planted {
namespace {

__global__ void WaitInBranch(bool planted, float* out) {
  if (!planted || threadIdx.x < 32) __syncthreads();
  out[threadIdx.x] = static_cast<float>(threadIdx.x);
}

}  // namespace

std::vector<float> DivergentBarrier(bool planted) {
  const DeviceBuffer<float> out(kThreads);
  Launch({.grid = dim3(1), .block = dim3(kThreads)}, WaitInBranch, planted, out.data());
  return ReadBack(out, kThreads);
}

}  // namespace touchstone::simt::planted
