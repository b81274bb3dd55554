// One try of the search: a case with the values of its tensors.
#pragma once

#include <string>
#include <vector>

#include "lab/kernel/kernel.h"
#include "lab/spec.h"

namespace touchstone::fuzz {

struct Trial {
  lab::Case c;
  lab::Tensors tensors;  // as lab::MakeTensors makes them: inputs, and outputs of the right shape
  bool given = false;    // the inputs are not those that the case's name generates
  // How the inputs came about: "class", or the patterns of given values.
  std::vector<std::string> patterns = {};
  lab::Poison poison = lab::Poison::kNan;
};

// "f32/normal/C5_T1", and "with given values" where that is not all.
std::string Describe(const Trial& trial);

// The arguments that hold inputs.
inline bool IsInput(const lab::Argument& argument) { return argument.role != lab::Role::kOut; }

}  // namespace touchstone::fuzz
