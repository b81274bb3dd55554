// Kernels in this process that give the reference's outputs but for one planted fault.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "fuzz/search/search.h"
#include "lab/chain.h"
#include "lab/kernel/kernel.h"

namespace touchstone::fuzz {

class PlantedKernel : public lab::Kernel {
 public:
  // The fault changes the result, which holds the right outputs.
  using Fault = std::function<void(const lab::Case&, const lab::Tensors& inputs, lab::RunResult*)>;

  PlantedKernel(const lab::OpSpec& op, Fault fault)
      : info_{.name = "planted", .origin = "test", .op = op.name, .recipes = op.recipes},
        fault_(std::move(fault)) {}

  const lab::KernelInfo& info() const override { return info_; }

  lab::RunResult Run(const lab::Case& c, const lab::Tensors& inputs,
                     const lab::RunOptions&) override {
    lab::Tensors tensors = inputs;
    for (const lab::Argument& argument : c.op->arguments) {
      if (argument.role != lab::Role::kOut) continue;
      tensors.emplace(argument.name, Tensor(lab::DtypeOf(c, argument), lab::ShapeOf(c, argument)));
    }
    lab::Run(c, &tensors, 1);
    lab::RunResult result{.state = lab::RunState::kDone};
    for (const lab::Argument& argument : c.op->arguments) {
      if (argument.role == lab::Role::kIn) continue;
      result.outputs.emplace(argument.name, tensors.at(argument.name));
    }
    fault_(c, inputs, &result);
    return result;
  }

 private:
  lab::KernelInfo info_;
  Fault fault_;
};

inline MakeKernel Planted(const std::string& op, const PlantedKernel::Fault& fault) {
  return [op, fault] { return std::make_unique<PlantedKernel>(*lab::FindOp(op), fault); };
}

// Wrong in one element of the widths 5, 21, 37, ... of the ops whose rows have C elements.
inline void OneElementWrong(const lab::Case& c, const lab::Tensors&, lab::RunResult* result) {
  Tensor& y = result->outputs.at("y");
  if (c.size('C') % 16 != 5 || y.count() == 0) return;
  y.SetReal(y.count() - 1, static_cast<float>(y.Real(y.count() - 1)) + 1.0f);
}

inline void NegativeZeroLost(const lab::Case&, const lab::Tensors&, lab::RunResult* result) {
  Tensor& h = result->outputs.at("h");
  for (int64_t i = 0; i < h.count(); ++i) {
    if (h.Real(i) == 0.0) h.SetReal(i, 0.0f);
  }
}

inline void CrashAtThree(const lab::Case& c, const lab::Tensors&, lab::RunResult* result) {
  if (c.size('T') != 3) return;
  *result = {.state = lab::RunState::kCrashed, .what = "signal 11"};
}

}  // namespace touchstone::fuzz
