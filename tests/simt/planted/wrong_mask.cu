// Half a warp shuffles under the mask of the other half.
#include "kernels/simt/simt.cuh"
#include "tests/simt/planted/planted.h"
#include "tests/simt/planted/read_back.h"

namespace touchstone::simt::planted {
namespace {

__global__ void MirrorHalf(bool planted, float* out) {
  const unsigned t = threadIdx.x;
  out[t] = static_cast<float>(t);
  if (t >= 16) return;
  out[t] = __shfl_xor_sync(planted ? 0xffff0000 : 0x0000ffff, out[t], 15);
}

}  // namespace

std::vector<float> WrongMask(bool planted) {
  const DeviceBuffer<float> out(32);
  Launch({.grid = dim3(1), .block = dim3(32)}, MirrorHalf, planted, out.data());
  return ReadBack(out, 32);
}

}  // namespace touchstone::simt::planted
