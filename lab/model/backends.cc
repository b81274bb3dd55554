#include "lab/model/backends.h"

#include <fmt/format.h>

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

Backend BackendOf(const std::string& name) {
  if (name == "reference") return {};
  if (name != "optimized") {
    throw UsageError(fmt::format("--backend {}: expected reference or optimized", name));
  }
  const Implementation& linear = CandidateOf("linear", "optimized/packed_panels");
  const Implementation& rmsnorm = CandidateOf("rmsnorm", "optimized/lane_vectors");
  Backend backend;
  PutOptimized(linear, rmsnorm, &backend.f32);
  PutOptimized(linear, rmsnorm, &backend.bf16);
  return backend;
}

void AddBackendOption(CLI::App* command, std::string* name) {
  *name = "reference";
  command
      ->add_option("--backend", *name,
                   "reference, or optimized: faster code for linear and rmsnorm. The bits are the "
                   "same (default: reference)")
      ->check(CLI::IsMember({"reference", "optimized"}));
}

}  // namespace touchstone::lab
