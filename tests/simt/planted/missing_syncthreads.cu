// A thread reads what a thread of the other warp writes, without a barrier.
#include "kernels/simt/simt.cuh"
#include "tests/simt/planted/planted.h"
#include "tests/simt/planted/read_back.h"

namespace touchstone::simt::planted {
namespace {

__global__ void MirrorBlock(bool planted, float* out) {
  auto& row = Shared<Row>();
  const unsigned t = threadIdx.x;
  row.value[t] = static_cast<float>(t);
  if (!planted) __syncthreads();
  out[t] = row.value[kThreads - 1 - t];
}

}  // namespace

std::vector<float> MissingSyncthreads(bool planted) {
  const DeviceBuffer<float> out(kThreads);
  Launch({.grid = dim3(1), .block = dim3(kThreads)}, MirrorBlock, planted, out.data());
  return ReadBack(out, kThreads);
}

}  // namespace touchstone::simt::planted
