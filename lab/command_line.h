// How a command joins the command line: it adds its subcommand and flags to the program, and where
// the command line chose it, sets `run` to what then gives the exit code.
#pragma once

#include <CLI/CLI.hpp>
#include <charconv>
#include <cstdint>
#include <functional>
#include <string>

namespace touchstone::lab {

using RunCommand = std::function<int()>;

// Of 64 bits without a sign. CLI11 itself takes -1 and what is too large for the largest there is.
inline CLI::Validator UnsignedInteger() {
  return CLI::Validator(
      [](const std::string& text) -> std::string {
        uint64_t number = 0;
        const char* const end = text.data() + text.size();
        const auto [rest, error] = std::from_chars(text.data(), end, number);
        if (error == std::errc() && rest == end) return "";
        return "expected an integer from 0 to 2^64 - 1, not '" + text + "'";
      },
      "UINT64");
}

void AddInspectCommand(CLI::App* app, RunCommand* run);
void AddGenerateCommand(CLI::App* app, RunCommand* run);
void AddTraceCommand(CLI::App* app, RunCommand* run);
void AddDiffCommand(CLI::App* app, RunCommand* run);
void AddAgreeCommand(CLI::App* app, RunCommand* run);
void AddMutantsCommand(CLI::App* app, RunCommand* run);
void AddCasesCommand(CLI::App* app, RunCommand* run);
void AddNewCommand(CLI::App* app, RunCommand* run);
void AddBenchCommand(CLI::App* app, RunCommand* run);

}  // namespace touchstone::lab
