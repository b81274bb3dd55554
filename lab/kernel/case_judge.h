// One run of a kernel against what is right: bits, bound, and what a kernel may not do.
#pragma once

#include <optional>
#include <string>

#include "lab/chain.h"
#include "lab/kernel/kernel.h"
#include "lab/kernel/kernel_report.h"
#include "lab/spec.h"
#include "reference/exact/profile.h"

namespace touchstone::lab {

// What the kernel is held to.
struct Yardstick {
  Contract contract = Contract::kBounded;
  exact::Profile profile = {};  // of kProfile
};

// What the kernel must give: the reference's outputs, or the formula's under the profile.
Tensors RightOutputs(const Case& c, const Tensors& inputs, const Yardstick& yardstick);

// Judges what run 1 gave (state kDone) and fills verdict, comparisons and failures. `second` is run
// 2, in which the outputs held other poison; nullptr where there was none.
void JudgeOutputs(const Case& c, const Tensors& inputs, const Tensors& right, const RunResult& run,
                  const RunResult* second, const Yardstick& yardstick, CaseReport* report);

// Whether an output is there, in the case's shape and format; else a failure of the report.
bool OutputsAreWhole(const Case& c, const RunResult& run, CaseReport* report);

// What run 1 and run 2 have differently, apart from elements that were never written.
Comparison CompareRuns(const Case& c, const Tensors& first, const Tensors& second);

}  // namespace touchstone::lab
