#include "lab/model/backends.h"

#include <fmt/format.h>

#include "kernels/model/device_backend.h"
#include "lab/cuda_library.h"
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
  if (choice.device == "cuda") {
    CudaLibrary().put_kernels(&backend);
  } else if (choice.device == "simt") {
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
