#include "lab/worker/cuda_device.h"

#include <dlfcn.h>

#include <cstdio>
#include <sstream>

namespace touchstone::lab {
namespace {

// The driver's functions, as cuda.h declares them: CUresult and CUdevice are int, handles are
// pointers, CUdeviceptr is an unsigned integer of 64 bits.
struct Driver {
  int (*init)(unsigned) = nullptr;
  int (*device_count)(int*) = nullptr;
  int (*device)(int*, int) = nullptr;
  int (*attribute)(int*, int, int) = nullptr;
  int (*primary_context)(void**, int) = nullptr;
  int (*set_context)(void*) = nullptr;
  int (*allocate)(unsigned long long*, size_t) = nullptr;
  int (*release)(unsigned long long) = nullptr;
  int (*to_device)(unsigned long long, const void*, size_t) = nullptr;
  int (*from_device)(void*, unsigned long long, size_t) = nullptr;
  int (*synchronize)() = nullptr;
  int (*make_stream)(void**, unsigned) = nullptr;
  int (*make_event)(void**, unsigned) = nullptr;
  int (*record_event)(void*, void*) = nullptr;
  int (*elapsed)(float*, void*, void*) = nullptr;
  int (*error_text)(int, const char**) = nullptr;
};

Driver driver;

// Attributes of cuDeviceGetAttribute.
constexpr int kMajor = 75, kMinor = 76;

template <typename Function>
bool Find(void* library, const char* name, Function* function) {
  *function = reinterpret_cast<Function>(dlsym(library, name));
  return *function != nullptr;
}

std::string LoadDriver() {
  void* library = dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) return "there is no CUDA driver here (libcuda.so.1)";
  const bool is_whole = Find(library, "cuInit", &driver.init) &&
                        Find(library, "cuDeviceGetCount", &driver.device_count) &&
                        Find(library, "cuDeviceGet", &driver.device) &&
                        Find(library, "cuDeviceGetAttribute", &driver.attribute) &&
                        Find(library, "cuDevicePrimaryCtxRetain", &driver.primary_context) &&
                        Find(library, "cuCtxSetCurrent", &driver.set_context) &&
                        Find(library, "cuMemAlloc_v2", &driver.allocate) &&
                        Find(library, "cuMemFree_v2", &driver.release) &&
                        Find(library, "cuMemcpyHtoD_v2", &driver.to_device) &&
                        Find(library, "cuMemcpyDtoH_v2", &driver.from_device) &&
                        Find(library, "cuCtxSynchronize", &driver.synchronize) &&
                        Find(library, "cuStreamCreate", &driver.make_stream) &&
                        Find(library, "cuEventCreate", &driver.make_event) &&
                        Find(library, "cuEventRecord", &driver.record_event) &&
                        Find(library, "cuEventElapsedTime", &driver.elapsed) &&
                        Find(library, "cuGetErrorString", &driver.error_text);
  return is_whole ? "" : "the CUDA driver lacks a function that is needed";
}

// Whether code for `architecture` ("sm_90", "sm_90a") runs on a device of compute capability
// major.minor.
bool RunsOn(const std::string& architecture, int major, int minor) {
  int number = 0, end = 0;
  if (std::sscanf(architecture.c_str(), "sm_%d%n", &number, &end) != 1) return false;
  const bool is_exact = architecture.substr(static_cast<size_t>(end)) == "a";
  if (!is_exact && static_cast<size_t>(end) != architecture.size()) return false;
  if (number / 10 != major) return false;
  return is_exact ? number % 10 == minor : number % 10 <= minor;
}

std::string WhyNotOn(int major, int minor, const std::string& needs) {
  std::istringstream words(needs);
  bool any = false;
  for (std::string word; words >> word; any = true) {
    if (RunsOn(word, major, minor)) return {};
  }
  if (!any) return {};
  return "it has code for " + needs + "; the device here is sm_" + std::to_string(major) +
         std::to_string(minor);
}

}  // namespace

std::string CudaDevice::Complaint(const char* call, int result) const {
  const char* text = nullptr;
  driver.error_text(result, &text);
  return std::string(call) + ": CUDA error " + std::to_string(result) + ", " +
         (text != nullptr ? text : "unknown");
}

std::string CudaDevice::Open(const std::string& needs) {
  if (std::string why = LoadDriver(); !why.empty()) return why;
  if (const int result = driver.init(0)) return Complaint("cuInit", result);
  int count = 0, device = 0, major = 0, minor = 0;
  if (const int result = driver.device_count(&count)) return Complaint("cuDeviceGetCount", result);
  if (count == 0) return "there is no CUDA device here";
  if (const int result = driver.device(&device, 0)) return Complaint("cuDeviceGet", result);
  driver.attribute(&major, kMajor, device);
  driver.attribute(&minor, kMinor, device);
  if (std::string why = WhyNotOn(major, minor, needs); !why.empty()) return why;
  void* context = nullptr;
  if (const int result = driver.primary_context(&context, device)) {
    return Complaint("cuDevicePrimaryCtxRetain", result);
  }
  if (const int result = driver.set_context(context)) return Complaint("cuCtxSetCurrent", result);
  if (const int result = driver.make_stream(&stream_, 0))
    return Complaint("cuStreamCreate", result);
  for (void** event : {&begin_, &end_}) {
    if (const int result = driver.make_event(event, 0)) return Complaint("cuEventCreate", result);
  }
  return {};
}

std::string CudaDevice::CopyIn(const std::byte* arena, size_t bytes) {
  if (bytes > bytes_) {
    if (memory_ != 0) driver.release(memory_);
    memory_ = bytes_ = 0;
    if (const int result = driver.allocate(&memory_, bytes)) {
      memory_ = 0;
      return Complaint("cuMemAlloc", result);
    }
    bytes_ = bytes;
  }
  if (const int result = driver.to_device(memory_, arena, bytes)) {
    return Complaint("cuMemcpyHtoD", result);
  }
  const int result = driver.record_event(begin_, stream_);
  return result != 0 ? Complaint("cuEventRecord", result) : std::string();
}

std::string CudaDevice::CopyOut(std::byte* arena, size_t bytes, double* seconds) {
  float milliseconds = 0.0f;
  const int recorded = driver.record_event(end_, stream_);
  if (const int result = driver.synchronize()) return Complaint("after run", result);
  if (recorded != 0) return Complaint("cuEventRecord", recorded);
  if (const int result = driver.elapsed(&milliseconds, begin_, end_)) {
    return Complaint("cuEventElapsedTime", result);
  }
  *seconds = 1e-3 * milliseconds;
  const int result = driver.from_device(arena, memory_, bytes);
  return result != 0 ? Complaint("cuMemcpyDtoH", result) : std::string();
}

}  // namespace touchstone::lab
