// The backends that the program offers by `--backend`: which implementations compute the ops that
// the model lets be replaced. All give the same bits; `verify` and the golden models hold them to
// it.
#pragma once

#include <CLI/CLI.hpp>
#include <string>

#include "reference/model/backend.h"

namespace touchstone::lab {

// "reference", or "optimized": the candidates under optimized/. Throws UsageError for another name,
// KernelUnavailable where the program was built without a candidate.
Backend BackendOf(const std::string& name);

// Adds `--backend`; the name it sets is "reference" where the command line gives none.
void AddBackendOption(CLI::App* command, std::string* name);

}  // namespace touchstone::lab
