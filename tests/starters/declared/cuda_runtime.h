// What the CUDA starters and kernels/simt/device.cuh use of CUDA, declared only: enough for
// `clang -x cuda -fsyntax-only` to check the starters for host and device on a machine without
// CUDA's headers.
#pragma once

#include <cmath>
#include <cstddef>

#define __global__ __attribute__((global))
#define __device__ __attribute__((device))
#define __host__ __attribute__((host))
#define __shared__ __attribute__((shared))
#define __forceinline__ inline
#define __align__(bytes) __attribute__((aligned(bytes)))

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
__device__ void __trap();
__device__ float __uint_as_float(unsigned x);
__device__ unsigned __float_as_uint(float x);
__device__ float expf(float x);
__device__ float sqrtf(float x);
__device__ float floorf(float x);
__device__ float fmaxf(float a, float b);
__device__ double sqrt(double x);
__device__ double exp(double x);
__device__ double log(double x);
__device__ double sin(double x);
__device__ double cos(double x);
__device__ double floor(double x);
__device__ double pow(double x, double y);

struct CUstream_st;
using cudaStream_t = CUstream_st*;
struct CUevent_st;
using cudaEvent_t = CUevent_st*;
enum cudaError_t { cudaSuccess = 0 };
enum cudaMemcpyKind { cudaMemcpyHostToDevice = 1, cudaMemcpyDeviceToHost = 2 };
enum cudaFuncAttribute { cudaFuncAttributeMaxDynamicSharedMemorySize = 8 };

cudaError_t cudaGetLastError();
const char* cudaGetErrorString(cudaError_t error);
template <typename Kernel>
cudaError_t cudaFuncSetAttribute(Kernel* kernel, cudaFuncAttribute attribute, int value);
cudaError_t cudaMallocAsync(void** memory, size_t bytes, cudaStream_t stream);
cudaError_t cudaFreeAsync(void* memory, cudaStream_t stream);
cudaError_t cudaMemcpyAsync(void* to, const void* from, size_t bytes, cudaMemcpyKind kind,
                            cudaStream_t stream);
cudaError_t cudaStreamSynchronize(cudaStream_t stream);
cudaError_t cudaEventCreate(cudaEvent_t* event);
cudaError_t cudaEventDestroy(cudaEvent_t event);
cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream);
cudaError_t cudaEventSynchronize(cudaEvent_t event);
cudaError_t cudaEventElapsedTime(float* milliseconds, cudaEvent_t begin, cudaEvent_t end);
extern "C" unsigned __cudaPushCallConfiguration(dim3 blocks, dim3 threads, size_t shared = 0,
                                                CUstream_st* stream = nullptr);
extern "C" int cudaConfigureCall(dim3 blocks, dim3 threads, size_t shared = 0,
                                 CUstream_st* stream = nullptr);
