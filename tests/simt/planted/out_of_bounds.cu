// Writes by one past the end of shared memory and of a device buffer.
#include "kernels/simt/simt.cuh"
#include "tests/simt/planted/planted.h"
#include "tests/simt/planted/read_back.h"

namespace touchstone::simt::planted {
namespace {

// A template: the compiler lays no guards of its own around what only inline code names.
template <typename T>
__global__ void ShiftShared(bool planted, T* out) {
  T* value = Shared<Row>().value;
  const unsigned t = threadIdx.x, to = planted ? t + 1 : (t + 1) % kThreads;
  if (t == 0) value[0] = T{};
  __syncthreads();
  value[to] = static_cast<T>(t);
  __syncthreads();
  out[t] = value[t];
}

__global__ void ShiftDevice(bool planted, float* out) {
  const unsigned t = threadIdx.x, to = planted ? t + 1 : (t + 1) % kThreads;
  out[to] = static_cast<float>(t);
}

}  // namespace

std::vector<float> OutOfShared(bool planted) {
  const DeviceBuffer<float> out(kThreads);
  Launch({.grid = dim3(1), .block = dim3(kThreads)}, ShiftShared<float>, planted, out.data());
  return ReadBack(out, kThreads);
}

std::vector<float> OutOfDevice(bool planted) {
  const DeviceBuffer<float> out(kThreads);
  Launch({.grid = dim3(1), .block = dim3(kThreads)}, ShiftDevice, planted, out.data());
  return ReadBack(out, kThreads);
}

}  // namespace touchstone::simt::planted
