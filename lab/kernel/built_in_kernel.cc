#include "lab/kernel/built_in_kernel.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <exception>
#include <utility>

#include "kernels/simt/execution_model.h"
#include "lab/chain.h"

namespace touchstone::lab {

BuiltInKernel::BuiltInKernel(const OpSpec& op, const Implementation& implementation)
    : implementation_(implementation) {
  info_.name = implementation.name;
  info_.origin = implementation.name;
  info_.op = op.name;
  info_.recipes = op.recipes;
}

Tensors PoisonedTensors(const Case& c, const Tensors& inputs, Poison poison) {
  Tensors tensors;
  for (const Argument& argument : c.op->arguments) {
    if (argument.role != Role::kOut) {
      tensors.emplace(argument.name, inputs.at(argument.name));
      continue;
    }
    Tensor output(DtypeOf(c, argument), ShapeOf(c, argument));
    std::fill(output.data.begin(), output.data.end(),
              poison == Poison::kNan ? std::byte{0xff} : std::byte{0x5a});
    tensors.emplace(argument.name, std::move(output));
  }
  return tensors;
}

RunResult BuiltInKernel::Run(const Case& c, const Tensors& inputs, const RunOptions& options) {
  RunResult result;
  Tensors tensors = PoisonedTensors(c, inputs, options.poison);
  const auto begin = std::chrono::steady_clock::now();
  // The second run of a case, of the other poison, takes threads and blocks the other way round.
  simt::CurrentPolicy() =
      options.poison == Poison::kNan
          ? simt::Policy{}
          : simt::Policy{.order = simt::Order::kReverse, .landing = simt::CopyLanding::kEarly};
  try {
    lab::Run(c, implementation_, &tensors, options.threads);
    result.state = RunState::kDone;
  } catch (const std::exception& error) {
    result.what = error.what();
  }
  result.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  if (implementation_.device_seconds != nullptr && result.state == RunState::kDone) {
    result.seconds = implementation_.device_seconds();
  }
  for (const Argument& argument : c.op->arguments) {
    Tensor& tensor = tensors.at(argument.name);
    if (argument.role != Role::kIn) {
      result.outputs.emplace(argument.name, std::move(tensor));
    } else if (tensor.data != inputs.at(argument.name).data) {
      result.breaches.push_back(fmt::format("changes its input {}", argument.name));
    }
  }
  return result;
}

}  // namespace touchstone::lab
