// What every kernel includes. Under nvcc it is CUDA itself behind a few thin wrappers; under any
// other compiler it is the CUDA execution model on the CPU, so that the same file is compiled, run
// and watched without a GPU and without any header of CUDA.
//
// A kernel is ordinary CUDA but for three conventions:
//
//   shared memory   a plain struct: auto& tile = simt::Shared<Tile>();
//                   or simt::DynamicShared<float>(), whose bytes are given at the launch
//   PTX             behind a function of kernels/ptx/, one instruction each
//   launch          simt::Launch({.grid = dim3(blocks), .block = dim3(256)}, Kernel, arguments...)
//                   in place of <<<>>>, on the calling thread's stream
//
// Memory that a launch needs for itself is a simt::DeviceBuffer<T>.
#pragma once

#ifdef __CUDACC__
#include "kernels/simt/device.cuh"
#else
#include "kernels/simt/execution_model.h"
#endif

namespace touchstone::simt {

constexpr unsigned kWarpSize = 32;
constexpr unsigned kWholeWarp = 0xffffffff;

// Blocks of `block` elements that cover `extent` elements, as a grid's axis.
constexpr unsigned BlocksFor(int64_t extent, int64_t block) {
  return static_cast<unsigned>((extent + block - 1) / block);
}

}  // namespace touchstone::simt
