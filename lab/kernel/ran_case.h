// Runs of a case on their way from the kernel to the judge.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "lab/kernel/kernel.h"
#include "lab/spec.h"

namespace touchstone::lab {

// What a kernel gave for the rows of a case in other company, or when it ran again, where that is
// not what it gave at first.
struct OtherRun {
  std::string what;
  Case c;
  Tensors inputs, outputs;
};

inline std::string SecondRunOf(const KernelInfo& info, int threads) {
  return info.device == kSimtDevice ? "run again in reverse order"
                                    : "run again on " + std::to_string(threads) + " threads";
}

// A case that the kernel ran, on its way to the judge.
struct RanCase {
  size_t index = 0;
  Case c;
  Tensors inputs;
  RunResult first;
  std::optional<RunResult> second;
  std::vector<OtherRun> others;
  bool keep = false;  // its tensors are kept as a sample
};

}  // namespace touchstone::lab
