// Two groups of copies are under way; the first is read after a wait that lets two be.
#include "kernels/ptx/cp_async.cuh"
#include "kernels/simt/simt.cuh"
#include "tests/simt/planted/planted.h"
#include "tests/simt/planted/read_back.h"

namespace touchstone::simt::planted {
namespace {

struct Stages {
  alignas(16) float value[2][kThreads];
};

__global__ void ReadStages(bool planted, const float* in, float* out) {
  auto& stages = Shared<Stages>();
  const unsigned t = threadIdx.x;
  for (int stage = 0; stage < 2; ++stage) {
    if (t % 4 == 0) ptx::CpAsync16(&stages.value[stage][t], in + t + stage * kThreads);
    ptx::CpAsyncCommit();
  }
  planted ? ptx::CpAsyncWait<2>() : ptx::CpAsyncWait<1>();
  __syncthreads();
  const float first = stages.value[0][kThreads - 1 - t];
  ptx::CpAsyncWait<0>();
  __syncthreads();
  out[t] = first + stages.value[1][kThreads - 1 - t];
}

}  // namespace

std::vector<float> MissingWait(bool planted) {
  const DeviceBuffer<float> in(2 * kThreads), out(kThreads);
  Count(in, 2 * kThreads);
  Launch({.grid = dim3(1), .block = dim3(kThreads)}, ReadStages, planted, in.data(), out.data());
  return ReadBack(out, kThreads);
}

}  // namespace touchstone::simt::planted
