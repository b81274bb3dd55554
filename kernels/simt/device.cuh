// The conventions of simt.cuh under nvcc: thin wrappers over the CUDA runtime.
#pragma once

#include <cuda_runtime.h>

#include <cstdint>
#include <stdexcept>
#include <string>
#include <utility>

namespace touchstone::simt {

struct LaunchConfig {
  dim3 grid;
  dim3 block;
  size_t dynamic_shared = 0;  // bytes
};

// A call of the CUDA runtime failed, or a kernel did while it ran.
class ExecutionError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

inline void Check(cudaError_t result, const char* call) {
  if (result == cudaSuccess) return;
  throw ExecutionError(std::string(call) + ": " + cudaGetErrorString(result));
}

// The stream of this thread's launches; whoever calls a kernel's host function sets it.
inline cudaStream_t& CurrentStream() {
  thread_local cudaStream_t stream = nullptr;
  return stream;
}

template <typename... Parameters, typename... Arguments>
void Launch(const LaunchConfig& config, void (*kernel)(Parameters...), Arguments&&... arguments) {
  // More than 48 KiB must be asked for.
  if (config.dynamic_shared > 48 * 1024) {
    Check(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize,
                               static_cast<int>(config.dynamic_shared)),
          "cudaFuncSetAttribute");
  }
  kernel<<<config.grid, config.block, config.dynamic_shared, CurrentStream()>>>(
      std::forward<Arguments>(arguments)...);
  Check(cudaGetLastError(), "launch");
}

// The block's T, one object a type and kernel.
template <typename T>
__device__ __forceinline__ T& Shared() {
  __shared__ T object;
  return object;
}

// The launch's dynamic shared memory.
template <typename T>
__device__ __forceinline__ T* DynamicShared() {
  extern __shared__ __align__(128) unsigned char touchstone_dynamic_shared[];
  return reinterpret_cast<T*>(touchstone_dynamic_shared);
}

// Ends the launch with an error: a condition on device data that a kernel cannot go on without.
__device__ __forceinline__ void Require(bool condition) {
  if (!condition) __trap();
}

// Device memory of `count` elements for the time of some launches on one stream.
template <typename T>
class DeviceBuffer {
 public:
  explicit DeviceBuffer(int64_t count) : stream_(CurrentStream()) {
    if (count == 0) return;
    Check(cudaMallocAsync(reinterpret_cast<void**>(&data_), sizeof(T) * count, stream_),
          "cudaMallocAsync");
  }
  ~DeviceBuffer() {
    if (data_ != nullptr) cudaFreeAsync(data_, stream_);
  }
  DeviceBuffer(const DeviceBuffer&) = delete;
  DeviceBuffer& operator=(const DeviceBuffer&) = delete;

  T* data() const { return data_; }

 private:
  cudaStream_t stream_;
  T* data_ = nullptr;
};

// Time that the device takes between two points of the current stream.
class Timer {
 public:
  Timer() {
    Check(cudaEventCreate(&begin_), "cudaEventCreate");
    Check(cudaEventCreate(&end_), "cudaEventCreate");
  }
  ~Timer() {
    cudaEventDestroy(begin_);
    cudaEventDestroy(end_);
  }
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;

  void Start() { Check(cudaEventRecord(begin_, CurrentStream()), "cudaEventRecord"); }
  // Waits for what was launched since Start. Seconds.
  double Stop() {
    float milliseconds = 0.0f;
    Check(cudaEventRecord(end_, CurrentStream()), "cudaEventRecord");
    Check(cudaEventSynchronize(end_), "after a launch");
    Check(cudaEventElapsedTime(&milliseconds, begin_, end_), "cudaEventElapsedTime");
    return 1e-3 * milliseconds;
  }

 private:
  cudaEvent_t begin_ = nullptr, end_ = nullptr;
};

// Whole once it returns: later launches of any stream see the bytes, and the host does.
inline void CopyToDevice(void* device, const void* host, size_t bytes) {
  Check(cudaMemcpyAsync(device, host, bytes, cudaMemcpyHostToDevice, CurrentStream()),
        "cudaMemcpyAsync");
  Check(cudaStreamSynchronize(CurrentStream()), "cudaStreamSynchronize");
}
inline void CopyToHost(void* host, const void* device, size_t bytes) {
  Check(cudaMemcpyAsync(host, device, bytes, cudaMemcpyDeviceToHost, CurrentStream()),
        "cudaMemcpyAsync");
  Check(cudaStreamSynchronize(CurrentStream()), "cudaStreamSynchronize");
}

}  // namespace touchstone::simt
