#pragma once

#include <string>
#include <vector>

#include "lab/diagnosis/suspect.h"

namespace touchstone::lab {

// Where the wrong elements lie, a sentence a finding: by the coordinates of each output, by trend
// along a letter, and by the right value.
std::vector<std::string> PatternOf(const Suspect& suspect);

// The index values of one letter that hold wrong elements, out of `extent`: "t=2", "t=16..31",
// "c>=64", "every 8th f, from f=3", "every t". Empty where no short words say which.
std::string WordsForIndices(char letter, const std::vector<int64_t>& values, int64_t extent);

}  // namespace touchstone::lab
