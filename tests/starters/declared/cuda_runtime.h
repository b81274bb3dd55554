// What the CUDA starters use of CUDA, declared only: enough for `clang -x cuda -fsyntax-only` to
// check them for host and device on a machine without CUDA's headers.
#pragma once

#include <cstddef>

#define __global__ __attribute__((global))
#define __device__ __attribute__((device))
#define __host__ __attribute__((host))
#define __shared__ __attribute__((shared))

struct uint3 {
  unsigned x, y, z;
};
struct dim3 {
  unsigned x, y, z;
  __host__ __device__ constexpr dim3(unsigned a = 1, unsigned b = 1, unsigned c = 1)
      : x(a), y(b), z(c) {}
};
extern const __device__ uint3 threadIdx, blockIdx;

__device__ void __syncthreads();
__device__ float __uint_as_float(unsigned x);
__device__ unsigned __float_as_uint(float x);
__device__ float expf(float x);
__device__ float sqrtf(float x);

struct CUstream_st;
using cudaStream_t = CUstream_st*;
enum cudaError_t { cudaSuccess = 0 };
cudaError_t cudaGetLastError();
extern "C" unsigned __cudaPushCallConfiguration(dim3 blocks, dim3 threads, size_t shared = 0,
                                                CUstream_st* stream = nullptr);
extern "C" int cudaConfigureCall(dim3 blocks, dim3 threads, size_t shared = 0,
                                 CUstream_st* stream = nullptr);
