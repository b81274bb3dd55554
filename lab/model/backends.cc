#include "lab/model/backends.h"

#include <dlfcn.h>
#include <fmt/format.h>

#include <filesystem>

#include "kernels/model/device_backend.h"
#include "lab/errors.h"
#include "lab/kernel/kernel.h"
#include "lab/spec.h"

namespace touchstone::lab {
namespace {

const Implementation& CandidateOf(const std::string& op, const std::string& name) {
  for (const Implementation& implementation : FindOp(op)->implementations) {
    if (implementation.name == name) return implementation;
  }
  throw KernelUnavailable(
      fmt::format("--backend optimized: this program was built without {} of {}", name, op));
}

template <typename Storage>
void PutOptimized(const Implementation& linear, const Implementation& rmsnorm,
                  ReplaceableOps<Storage>* ops) {
  ops->linear = linear.As<decltype(Linear<Storage>)>(kDtypeOf<Storage>);
  ops->rmsnorm = rmsnorm.As<decltype(RmsNorm<Storage>)>(kDtypeOf<Storage>);
}

// The same kernels, compiled by nvcc, in a library beside the program: both define the same names.
Backend CudaBackend() {
  const std::filesystem::path library =
      std::filesystem::read_symlink("/proc/self/exe").parent_path() / "touchstone_cuda.so";
  if (!std::filesystem::exists(library)) {
    throw KernelUnavailable(
        "--device cuda: NOT RUN: the kernels were not compiled for a GPU (no nvcc when this "
        "program was built, or built without ./touchstone)");
  }
  // Never closed: the backend points into it.
  void* handle = dlopen(library.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (handle == nullptr) {
    throw KernelUnavailable(fmt::format("--device cuda: NOT RUN: {}", dlerror()));
  }
  const auto open =
      reinterpret_cast<decltype(touchstone_cuda_open)*>(dlsym(handle, "touchstone_cuda_open"));
  if (open == nullptr) {
    throw KernelUnavailable(
        fmt::format("--device cuda: NOT RUN: {} is not of this program", library.string()));
  }
  Backend backend;
  if (const char* complaint = open(&backend); complaint != nullptr) {
    throw KernelUnavailable(fmt::format("--device cuda: NOT RUN: {}", complaint));
  }
  return backend;
}

}  // namespace

Backend BackendOf(const BackendChoice& choice) {
  if (choice.name != "reference" && choice.name != "optimized") {
    throw UsageError(fmt::format("--backend {}: expected reference or optimized", choice.name));
  }
  if (choice.device != "cpu" && choice.name != "reference") {
    throw UsageError(fmt::format("--backend {} is for --device cpu, not for --device {}",
                                 choice.name, choice.device));
  }
  Backend backend;
  if (choice.device == "cuda") return CudaBackend();
  if (choice.device == "simt") {
    kernels::PutKernels(&backend);
  } else if (choice.device != "cpu") {
    throw UsageError(fmt::format("--device {}: expected cpu, simt or cuda", choice.device));
  }
  if (choice.name == "optimized") {
    const Implementation& linear = CandidateOf("linear", "optimized/packed_panels");
    const Implementation& rmsnorm = CandidateOf("rmsnorm", "optimized/lane_vectors");
    PutOptimized(linear, rmsnorm, &backend.f32);
    PutOptimized(linear, rmsnorm, &backend.bf16);
  }
  return backend;
}

void AddBackendOptions(CLI::App* command, BackendChoice* choice) {
  command
      ->add_option("--backend", choice->name,
                   "reference, or optimized: faster code for linear and rmsnorm. The bits are the "
                   "same (default: reference)")
      ->check(CLI::IsMember({"reference", "optimized"}));
  command
      ->add_option("--device", choice->device,
                   "cpu; cuda: the CUDA kernels on a GPU; simt: the same kernels under the CPU "
                   "execution model, slowly. The bits are the same (default: cpu)")
      ->check(CLI::IsMember({"cpu", "simt", "cuda"}));
}

}  // namespace touchstone::lab
