// Decisions that two recordings may take differently: a token's experts, and the token that the
// logits would take.
#pragma once

#include <string>
#include <vector>

#include "lab/diff/recorded_side.h"
#include "lab/diff/trace_diff.h"

namespace touchstone::lab {

// Adds the changes of a layer. Experts are compared as a set: another order is no change.
void AddExpertChanges(const RecordedSide& a, const RecordedSide& b, const std::string& chosen,
                      int64_t layer, TraceDiff* diff);

void AddArgmaxChanges(const RecordedSide& a, const RecordedSide& b, const std::string& logits,
                      TraceDiff* diff);

}  // namespace touchstone::lab
