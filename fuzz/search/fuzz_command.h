// `touchstone fuzz`: searches an op for a case on which a kernel is wrong, and makes it small.
#pragma once

#include "lab/command_line.h"

namespace touchstone::fuzz {

void AddFuzzCommand(CLI::App* app, lab::RunCommand* run);

}  // namespace touchstone::fuzz
