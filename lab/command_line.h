// How a command joins the command line: it adds its subcommand and flags to the program, and where
// the command line chose it, sets `run` to what then gives the exit code.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>

namespace touchstone::lab {

using RunCommand = std::function<int()>;

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
