// `touchstone verify OP --kernel ./mine.so`, or `--inputs in.h5 --outputs out.h5` of a kernel that
// ran somewhere else: the flags of a kernel's run, and the run.
#pragma once

#include <CLI/CLI.hpp>
#include <string>

#include "lab/commands.h"
#include "lab/verify.h"

namespace touchstone::lab {

struct KernelFlags {
  std::string kernel;           // PATH or PATH:SYMBOL of a library, or a CUDA source
  std::string device;           // cpu, cuda; empty: not said
  std::string inputs, outputs;  // files of cases (lab/files), in place of a kernel
  std::string profile;          // a name, or choices as text; empty: another contract
  std::string allow;            // what widens the bound, separated by commas
  std::string recipe;
  std::string memory_limit;
  double time_limit = 0.0;  // seconds a call; 0: the default
  bool no_invariance = false, no_decoys = false;
};

void AddKernelFlags(CLI::App* verify, KernelFlags* flags);

// Of a time limit for one call: a number that is one.
CLI::Validator SecondsOfACall();

// Whether a kernel is to be judged. Throws UsageError where a flag of kernels stands without one,
// or flags that exclude each other stand together.
bool JudgesKernel(const KernelFlags& flags);

// `contract` is the word of --contract, empty where it was not given. Throws UsageError, and
// golden::BadFile for files of cases.
int VerifyKernelCommand(const KernelFlags& flags, const std::string& contract,
                        const VerifyOptions& options, const ReportFiles& files);

}  // namespace touchstone::lab
