// For nvcc alone: the kernels' table.
#include "kernels/model/device_library.h"

#include <string>
#include <type_traits>

#include "kernels/cublas/product.h"
#include "kernels/model/device_backend.h"
#include "kernels/model/kernel_declarations.cuh"
#include "kernels/model/staged_call.h"

namespace touchstone::kernels {
namespace {

// The type chooses among overloads.
template <typename Pointer, Pointer kFunction>
void (*Forgotten())() {
  return reinterpret_cast<void (*)()>(Staged<kFunction>::Call);
}

#define FORGOTTEN(Function, kernel) Forgotten<std::decay_t<decltype(Function)>, kernel>()
#define CANDIDATE(folder, op, Function, algorithm)                                   \
  {#op, #algorithm, Dtype::kF32, FORGOTTEN(Function<float>, folder::op::algorithm)}, \
      {#op, #algorithm, Dtype::kBf16, FORGOTTEN(Function<Bf16>, folder::op::algorithm)},
#define CANDIDATE_F32(folder, op, Function, algorithm)                        \
  {#op, #algorithm, Dtype::kF32, FORGOTTEN(Function, folder::op::algorithm)}, \
      {#op, #algorithm, Dtype::kBf16, FORGOTTEN(Function, folder::op::algorithm)},
#define CANDIDATE_CUBLAS(folder, op, Function, algorithm)                               \
  {#op, #algorithm, Dtype::kF32, FORGOTTEN(Function<float>, folder::op::algorithm),     \
   cublas::WhyNot},                                                                     \
      {#op, #algorithm, Dtype::kBf16, FORGOTTEN(Function<Bf16>, folder::op::algorithm), \
       cublas::WhyNot},
const DeviceKernel kKernels[] = {
#include "kernels.def"
};

std::string DescribeDevice() {
  cudaDeviceProp properties{};
  int driver = 0;
  simt::Check(cudaGetDeviceProperties(&properties, 0), "cudaGetDeviceProperties");
  simt::Check(cudaDriverGetVersion(&driver), "cudaDriverGetVersion");
  return std::string(properties.name) + ", sm_" + std::to_string(properties.major) +
         std::to_string(properties.minor) + ", CUDA driver " + std::to_string(driver / 1000) + "." +
         std::to_string(driver % 1000 / 10);
}

}  // namespace
}  // namespace touchstone::kernels

const char* touchstone_cuda_open(const touchstone::kernels::DeviceLibrary** library) {
  using touchstone::kernels::DescribeDevice;
  int devices = 0;
  const cudaError_t result = cudaGetDeviceCount(&devices);
  if (result != cudaSuccess) return cudaGetErrorString(result);
  if (devices == 0) return "no CUDA device";
  static const std::string device = DescribeDevice();
  static const touchstone::kernels::DeviceLibrary all = {
      touchstone::kernels::kKernels, std::size(touchstone::kernels::kKernels),
      touchstone::kernels::PutKernels, [] { return touchstone::kernels::SecondsOfLastCall(); },
      device.c_str()};
  *library = &all;
  return nullptr;
}
