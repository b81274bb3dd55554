// `touchstone verify OP --kernel ./mine.so`: the flags of a kernel's run, and the run.
#pragma once

#include <CLI/CLI.hpp>
#include <string>

#include "lab/commands.h"
#include "lab/verify.h"

namespace touchstone::lab {

struct KernelFlags {
  std::string kernel;   // PATH or PATH:SYMBOL
  std::string profile;  // a name, or choices as text; empty: another contract
  std::string allow;    // what widens the bound, separated by commas
  std::string recipe;
  std::string memory_limit;
  double time_limit = 0.0;  // seconds a call; 0: the default
  bool no_invariance = false;
};

void AddKernelFlags(CLI::App* verify, KernelFlags* flags);

// Throws UsageError where a flag of kernels stands without --kernel.
void RequireKernel(const KernelFlags& flags);

// `contract` is the word of --contract, empty where it was not given. Throws UsageError and
// KernelUnavailable.
int VerifyKernelCommand(const KernelFlags& flags, const std::string& contract,
                        const VerifyOptions& options, const ReportFiles& files);

}  // namespace touchstone::lab
