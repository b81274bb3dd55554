// Values beyond the op's input classes: another pattern for each tensor, which the case's name does
// not generate.
#pragma once

#include <string>
#include <vector>

#include "fuzz/search/draws.h"
#include "fuzz/search/trial.h"

namespace touchstone::fuzz {

// Every pattern's name, for reports.
const std::vector<std::string>& PatternNames();

// Replaces the values of one or more inputs, and marks the trial as given. Integer tensors keep
// their values, exchanged, repeated or moved by one: the op's contract says which are valid.
void GiveValues(Draws* draws, Trial* trial);

}  // namespace touchstone::fuzz
