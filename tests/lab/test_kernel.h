// A kernel in this process, for tests of the lab: it is given the tensors of a case, and does to
// them what a test says.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <utility>

#include "lab/kernel/built_in_kernel.h"
#include "lab/kernel/kernel_verify.h"

namespace touchstone::lab {

// A call as a kernel sees it: outputs hold poison before, and are made by `Right`.
struct Call {
  const Case& c;
  const RunOptions& options;
  Tensors& tensors;
  RunResult& result;

  void Right() { Run(c, &tensors, 1); }
  Tensor& out(const std::string& name = "y") { return tensors.at(name); }
};

class TestKernel : public Kernel {
 public:
  TestKernel(const OpSpec& op, std::function<void(Call)> work) : work_(std::move(work)) {
    info_.name = "mine";
    info_.origin = "./mine.so";
    info_.op = op.name;
    info_.recipes = op.recipes;
  }
  KernelInfo info_;

  const KernelInfo& info() const override { return info_; }
  RunResult Run(const Case& c, const Tensors& inputs, const RunOptions& options) override {
    RunResult result;
    result.state = RunState::kDone;
    Tensors tensors = PoisonedTensors(c, inputs, options.poison);
    work_({c, options, tensors, result});
    for (const Argument& argument : c.op->arguments) {
      if (argument.role != Role::kIn && tensors.contains(argument.name)) {
        result.outputs.emplace(argument.name, tensors.at(argument.name));
      }
    }
    return result;
  }

 private:
  std::function<void(Call)> work_;
};

inline const OpSpec& RmsNormOp() { return *FindOp("rmsnorm"); }

// The smallest case of each class, without decoys: enough for most.
inline KernelOptions Quick() {
  KernelOptions options;
  options.smallest = true;
  options.decoys = false;
  options.command = "./touchstone verify rmsnorm --kernel ./mine.so";
  return options;
}

inline KernelReport Judge(std::function<void(Call)> work, const KernelOptions& options = Quick(),
                          const OpSpec& op = RmsNormOp()) {
  TestKernel kernel(op, std::move(work));
  return JudgeKernel(op, &kernel, options);
}

inline std::string Text(const KernelReport& report) { return KernelText(report, {}); }

inline bool Contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}
#define EXPECT_SAYS(text, part) EXPECT_TRUE(Contains(text, part)) << (part) << " in\n" << (text)

}  // namespace touchstone::lab
