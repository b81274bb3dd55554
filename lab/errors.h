// What ends the program early, and the exit code that each gives (docs/chapters/exit_codes.md).
#pragma once

#include <stdexcept>
#include <string>

namespace touchstone::lab {

enum ExitCode : int {
  kPassed = 0,   // at least one case ran, and all that ran passed
  kFailed = 1,   // FAILED, UNDERPOWERED, or WITHIN BOUND under --contract exact
  kUsage = 2,    // the command line
  kNotRun = 3,   // everything NOT RUN; or a tool, ABI, symbol or architecture is missing
  kBadData = 4,  // a data file
  kCrashed = 5,  // CRASHED or TIMED OUT
};

// The command line asks for something that there is not. Exit code 2.
class UsageError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

}  // namespace touchstone::lab
