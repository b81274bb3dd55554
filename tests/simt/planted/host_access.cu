// A kernel's host function reads device memory as if it were its own.
#include "kernels/simt/simt.cuh"
#include "tests/simt/planted/planted.h"
#include "tests/simt/planted/read_back.h"

namespace touchstone::simt::planted {
namespace {

__global__ void Identity(const float* in, float* out) { out[threadIdx.x] = in[threadIdx.x]; }

}  // namespace

std::vector<float> HostAccess(bool planted) {
  const DeviceBuffer<float> in(kThreads), out(kThreads);
  Count(in, kThreads);
  const unsigned threads = planted ? static_cast<unsigned>(in.data()[kThreads - 1]) + 1 : kThreads;
  Launch({.grid = dim3(1), .block = dim3(threads)}, Identity, in.data(), out.data());
  return ReadBack(out, kThreads);
}

}  // namespace touchstone::simt::planted
