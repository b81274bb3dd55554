// touchstone bench: calls the bench, a program of its own beside this one, since it alone needs the
// libraries of the rivals.
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "lab/command_line.h"
#include "lab/kernel/kernel.h"

namespace touchstone::lab {
namespace {

int CallBench(const std::vector<std::string>& words) {
  const std::string bench =
      std::filesystem::read_symlink("/proc/self/exe").parent_path() / "touchstone_bench";
  std::vector<char*> pointers = {const_cast<char*>(bench.c_str())};
  for (const std::string& word : words) pointers.push_back(const_cast<char*>(word.c_str()));
  pointers.push_back(nullptr);
  execv(bench.c_str(), pointers.data());
  if (errno == ENOENT) {
    throw KernelUnavailable(fmt::format(
        "there is no {}: `./touchstone bench` in the repository installs what section [bench] of "
        "tools/packages.txt names, and builds it",
        bench));
  }
  throw KernelUnavailable(fmt::format("{} cannot be run: {}", bench, std::strerror(errno)));
}

}  // namespace

void AddBenchCommand(CLI::App* app, RunCommand* run) {
  CLI::App* bench = app->add_subcommand(
      "bench", "Times reference, candidates and rivals against the machine's limits");
  // All that follows the word goes to the other program, --help too.
  bench->prefix_command();
  bench->set_help_flag();
  bench->callback(
      [bench, run] { *run = [words = bench->remaining()] { return CallBench(words); }; });
}

}  // namespace touchstone::lab
