// A failure as it is kept: the trial that was found, the smallest that fails alike, and the files
// that show it.
//
//   <op>-<seed>-<trial>.h5    the smallest case's inputs (lab/files/case_file.h), for `verify`
//   <op>-<seed>-<trial>.cc    a program of its own that calls the kernel on them, where it is a
//                             library and the inputs are few
//   <op>-<seed>-<trial>.txt   what failed, with the lines that repeat it
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "fuzz/search/shrink.h"
#include "fuzz/search/trial_judge.h"

namespace touchstone::fuzz {

// What was searched, as a command line says it.
struct Searched {
  std::string op;
  std::string kernel;  // as given to --kernel; empty: the built-in implementations
  bool exact = false;
  double timeout = 0.0;  // seconds of a call, as given; 0: not given
  uint64_t seed = 1;
};

struct Failure {
  uint64_t index = 0;  // of the trial
  Trial found;
  Shrunk smallest;
};

// "touchstone fuzz rmsnorm --kernel ./mine.so --seed 1 --from 17 --cases 1"
std::string FuzzLine(const Searched& searched, uint64_t index);

// The text of the .txt file; `inputs` is the name of the .h5 file as a command line gives it.
std::string FailureText(const Searched& searched, const Failure& failure, const std::string& inputs,
                        const std::string& program);

// Writes the files, each whole or not at all, the text last. Returns their paths, that of the text
// first. Throws std::runtime_error where they cannot be written.
std::vector<std::string> WriteFailure(const std::string& folder, const Searched& searched,
                                      const Failure& failure);

}  // namespace touchstone::fuzz
