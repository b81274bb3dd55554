// An implementation that is part of this program as a candidate: the reference, or a file under
// optimized/. It runs in this process, so that what it does to memory is not watched.
#pragma once

#include "lab/kernel/kernel.h"
#include "lab/spec.h"

namespace touchstone::lab {

class BuiltInKernel : public Kernel {
 public:
  // Both must outlive the kernel. A chain is run by its steps, whatever the implementation.
  BuiltInKernel(const OpSpec& op, const Implementation& implementation);

  const KernelInfo& info() const override { return info_; }
  RunResult Run(const Case& c, const Tensors& inputs, const RunOptions& options) override;

 private:
  const Implementation& implementation_;
  KernelInfo info_;
};

// The tensors with which a run begins: inputs as given, outputs filled with the poison.
Tensors PoisonedTensors(const Case& c, const Tensors& inputs, Poison poison);

}  // namespace touchstone::lab
