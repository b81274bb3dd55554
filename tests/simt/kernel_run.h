// What the programs that run kernels on cases in this process share.
#pragma once

#include <fmt/format.h>

#include <cstdint>
#include <string>
#include <vector>

#include "lab/chain.h"
#include "lab/judge.h"
#include "lab/spec.h"

namespace touchstone::lab {

// Of all tensors of a case.
inline int64_t ElementsOf(const Case& c) {
  int64_t elements = 0;
  for (const Argument& argument : c.op->arguments) {
    int64_t count = 1;
    for (const int64_t extent : ShapeOf(c, argument)) count *= extent;
    elements += count;
  }
  return elements;
}

// What is wrong with the tensors that a kernel leaves, a line each: an input that is not as it was,
// an output whose bits are not the reference's.
inline std::vector<std::string> WrongTensors(const Case& c, const Tensors& inputs,
                                             const Tensors& wanted, const Tensors& got) {
  std::vector<std::string> wrong;
  for (const Argument& argument : c.op->arguments) {
    const Tensor& tensor = got.at(argument.name);
    if (argument.role == Role::kIn) {
      if (tensor.data == inputs.at(argument.name).data) continue;
      wrong.push_back("changes its input " + argument.name);
      continue;
    }
    const Comparison bits =
        CompareBits(argument.name, argument.dims, tensor, wanted.at(argument.name));
    if (!bits.first) continue;
    wrong.push_back(fmt::format("{}[{}]: got {}, expected {}; {} of {} elements differ",
                                argument.name, bits.first->at, bits.first->got, bits.first->wanted,
                                bits.outside, bits.compared));
  }
  return wrong;
}

}  // namespace touchstone::lab
