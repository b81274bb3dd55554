// What a GPU has confirmed of the kernels under kernels/. Without a GPU they run under the CPU
// execution model, whose meaning of a PTX wrapper (kernels/ptx) is believed only when a GPU has
// given the same bits: until then whatever uses the wrapper is UNPROVEN.
//
// docs/tables/hardware_runs.tsv has a row for the last run of a kernel or wrapper on a GPU:
// kernel (rmsnorm/block_per_row, ptx/cp_async), gpu, date, driver, verdict.
#pragma once

#include <string>
#include <vector>

namespace touchstone::lab {

// The wrappers ("ptx/cp_async") that the kernel includes, itself, through other headers under
// kernels/ or through another algorithm's .cu whose header it includes, and that no run on a GPU
// has confirmed. `implementation` is "kernels/<algorithm>"; of any other there are none. Nothing
// where the sources are not at hand.
std::vector<std::string> UnprovenWrappers(const std::string& op, const std::string& implementation);

}  // namespace touchstone::lab
