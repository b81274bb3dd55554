// What the programs that run kernels on cases in this process share.
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "lab/chain.h"
#include "lab/judge.h"
#include "lab/spec.h"

namespace touchstone::lab {

// A case of published width takes a kernel under the execution model seconds, watched a minute. Two
// cases of 64 channels and 35 tokens have most of the tiles that one of 5120 has.
constexpr int64_t kSmallElements = 300'000;

// Those of `cases` that are small, the smallest first: most mistakes show there.
inline std::vector<Case> SmallOf(std::vector<Case> cases) {
  std::erase_if(cases, [](const Case& c) { return ElementsOf(c) > kSmallElements; });
  std::stable_sort(cases.begin(), cases.end(),
                   [](const Case& a, const Case& b) { return ElementsOf(a) < ElementsOf(b); });
  return cases;
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
