// A CUDA device for kernels whose tensors lie there, through the driver's library (libcuda.so.1),
// which is loaded only where such a kernel is. Never run on a GPU so far: tests have a driver that
// pretends.
//
// The device gets a mirror of the arena, guard bands and poison included, before a run, and the
// arena the device's after it. So the lab's checks are the same as for kernels on the CPU.
#pragma once

#include <cstddef>
#include <string>

namespace touchstone::lab {

class CudaDevice {
 public:
  // Opens device 0 and its primary context, which the CUDA runtime shares. `needs` lists
  // architectures ("sm_80 sm_90"): code for sm_80 runs on 8.0 and later 8.x, code for sm_90a on 9.0
  // alone. Returns why it cannot be used, or nothing.
  std::string Open(const std::string& needs);

  // The mirror. Each returns the driver's complaint, or nothing. After one the device is of no use
  // to this process any more. `seconds` is the device's time from the one to the other: what runs
  // on the stream, and on the default stream, between them.
  std::string CopyIn(const std::byte* arena, size_t bytes);
  // Waits for the device first.
  std::string CopyOut(std::byte* arena, size_t bytes, double* seconds);

  std::byte* data() const { return reinterpret_cast<std::byte*>(memory_); }
  void* stream() const { return stream_; }

 private:
  std::string Complaint(const char* call, int result) const;

  unsigned long long memory_ = 0;  // a CUdeviceptr
  size_t bytes_ = 0;
  void* stream_ = nullptr;
  void *begin_ = nullptr, *end_ = nullptr;  // events
};

}  // namespace touchstone::lab
