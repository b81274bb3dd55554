#include "lab/cuda_library.h"

#include <dlfcn.h>
#include <fmt/format.h>

#include <filesystem>
#include <string>

#include "lab/kernel/kernel.h"

namespace touchstone::lab {
namespace {

[[noreturn]] void NotRun(const std::string& why) {
  throw KernelUnavailable(fmt::format("--device cuda: NOT RUN: {}", why));
}

const kernels::DeviceLibrary* Open() {
  const std::filesystem::path path =
      std::filesystem::read_symlink("/proc/self/exe").parent_path() / "touchstone_cuda.so";
  if (!std::filesystem::exists(path)) {
    NotRun(
        "the kernels were not compiled for a GPU (no nvcc when this program was built, or built "
        "without ./touchstone)");
  }
  // Never closed: what it gives points into it.
  void* handle = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (handle == nullptr) NotRun(dlerror());
  const auto open =
      reinterpret_cast<decltype(touchstone_cuda_open)*>(dlsym(handle, "touchstone_cuda_open"));
  if (open == nullptr) NotRun(path.string() + " is not of this program");
  const kernels::DeviceLibrary* library = nullptr;
  if (const char* complaint = open(&library); complaint != nullptr) NotRun(complaint);
  return library;
}

}  // namespace

const kernels::DeviceLibrary& CudaLibrary() {
  static const kernels::DeviceLibrary* const library = Open();
  return *library;
}

}  // namespace touchstone::lab
