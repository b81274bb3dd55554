// `mutants`: how well the suite tells wrong versions of the right code. The work is done by
// tests/mutants/mutants.py, which plants, compiles and has each judged; this finds it and takes its
// exit code.
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <vector>

#include "lab/command_line.h"
#include "lab/repository.h"

namespace touchstone::lab {
namespace {

constexpr const char* kPython = "/usr/bin/python3";

// Replaces this program; what the script says and its exit code are then ours.
int RunScript(const std::vector<std::string>& given) {
  const std::string script = RepositoryRoot() + "/tests/mutants/mutants.py";
  for (const std::string& needed : {std::string(kPython), script}) {
    std::error_code error;
    if (!std::filesystem::exists(needed, error)) {
      throw std::runtime_error(fmt::format("mutants needs {}, which is not there", needed));
    }
  }
  // build/PRESET/bin/touchstone
  const std::filesystem::path program = std::filesystem::read_symlink("/proc/self/exe");
  std::vector<std::string> words{kPython, script, "--build",
                                 program.parent_path().parent_path().string()};
  words.insert(words.end(), given.begin(), given.end());
  std::vector<char*> pointers;
  for (std::string& word : words) pointers.push_back(word.data());
  pointers.push_back(nullptr);
  std::fflush(nullptr);
  execv(kPython, pointers.data());
  throw std::runtime_error(fmt::format("{} cannot be started: {}", kPython, std::strerror(errno)));
}

}  // namespace

void AddMutantsCommand(CLI::App* app, RunCommand* run) {
  CLI::App* mutants = app->add_subcommand(
      "mutants", "Plants wrong versions of the right code and has the suite judge them");
  mutants->set_help_flag();   // the script has its own
  mutants->prefix_command();  // and its own arguments
  mutants->callback(
      [mutants, run] { *run = [given = mutants->remaining()] { return RunScript(given); }; });
}

}  // namespace touchstone::lab
