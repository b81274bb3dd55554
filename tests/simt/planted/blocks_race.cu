// Two blocks of one launch write one word, or add to it, one of them without an atomic.
#include "kernels/simt/simt.cuh"
#include "tests/simt/planted/planted.h"
#include "tests/simt/planted/read_back.h"

namespace touchstone::simt::planted {
namespace {

__global__ void Raise(bool planted, float* flag) {
  if (threadIdx.x == 0) flag[planted ? 0 : blockIdx.x] = 1.0f;
}

__global__ void CountBlocks(bool planted, unsigned* blocks) {
  if (planted && blockIdx.x == 1) {
    *blocks = *blocks + 1;
  } else {
    atomicAdd(blocks, 1u);
  }
}

}  // namespace

std::vector<float> BlocksRace(bool planted) {
  const DeviceBuffer<float> flags(2);
  Count(flags, 2);
  Launch({.grid = dim3(2), .block = dim3(32)}, Raise, planted, flags.data());
  return {ReadBack(flags, 2)[planted ? 0 : 1]};
}

std::vector<float> PlainBesideAtomic(bool planted) {
  const DeviceBuffer<unsigned> blocks(1);
  unsigned count = 0;
  CopyToDevice(blocks.data(), &count, sizeof(count));
  Launch({.grid = dim3(2), .block = dim3(1)}, CountBlocks, planted, blocks.data());
  CopyToHost(&count, blocks.data(), sizeof(count));
  return {static_cast<float>(count)};
}

}  // namespace touchstone::simt::planted
