// Likely causes, each tested on the failed case: a cause is named only where the fault that it is
// gives what the kernel gave, in every wrong element. No cause knows an op.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "lab/diagnosis/suspect.h"

namespace touchstone::lab {

struct Cause {
  std::string name;
  // What was found, as a sentence; nothing where the fault does not explain the outputs.
  std::optional<std::string> (*test)(const Suspect& suspect);
};

// What is visible in the outputs alone: zeros, signs, factors, places moved, another rounding.
const std::vector<Cause>& CausesInOutputs();
// What needs the op to be computed again: on other inputs, with other attributes, under an unsound
// profile, without a rounding place. Too slow on large cases.
const std::vector<Cause>& CausesByRecomputing();

}  // namespace touchstone::lab
