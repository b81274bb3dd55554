// Reads of what nobody has written, in shared memory and in a device buffer.
#include "kernels/simt/simt.cuh"
#include "tests/simt/planted/planted.h"
#include "tests/simt/planted/read_back.h"

namespace touchstone::simt::planted {
namespace {

// Of two blocks the second leaves the last element as the first one did: unwritten.
__global__ void MirrorWritten(bool planted, float* out) {
  auto& row = Shared<Row>();
  const unsigned t = threadIdx.x;
  const unsigned written = planted && blockIdx.x == 1 ? kThreads - 1 : kThreads;
  if (t < written) row.value[t] = static_cast<float>(t);
  __syncthreads();
  out[blockIdx.x * kThreads + t] = row.value[kThreads - 1 - t];
}

__global__ void Double(const float* in, float* out) { out[threadIdx.x] = 2.0f * in[threadIdx.x]; }

}  // namespace

std::vector<float> UnwrittenShared(bool planted) {
  const DeviceBuffer<float> out(2 * kThreads);
  Launch({.grid = dim3(2), .block = dim3(kThreads)}, MirrorWritten, planted, out.data());
  return ReadBack(out, 2 * kThreads);
}

std::vector<float> UnwrittenDevice(bool planted) {
  const DeviceBuffer<float> in(kThreads), out(kThreads);
  Count(in, planted ? kThreads - 1 : kThreads);
  Launch({.grid = dim3(1), .block = dim3(kThreads)}, Double, in.data(), out.data());
  return ReadBack(out, kThreads);
}

}  // namespace touchstone::simt::planted
