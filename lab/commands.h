// The program's commands. Each prints to standard output and returns the exit code; bad input
// throws (UsageError, golden::BadFile), and main() turns that into its code.
#pragma once

#include <string>
#include <vector>

#include "lab/verify.h"

namespace touchstone::lab {

struct ReportFiles {
  std::string json, junit;  // empty: none
  bool quiet = false;       // only failures and the closing lines
};

int VerifyCommand(const VerifyOptions& options, const ReportFiles& files);
int ListCommand(bool json);
int ExplainCommand(const std::string& topic);
int GoldenMakeCommand(const std::vector<std::string>& ops, const std::string& out, Suite suite,
                      int threads);
int GoldenCheckCommand(Suite suite, int threads);
int GoldenShowCommand(const std::string& file, const std::string& path, int64_t count);
int DoctorCommand();

}  // namespace touchstone::lab
