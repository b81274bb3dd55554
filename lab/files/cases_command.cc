// `touchstone cases`: the inputs of an op's cases as a file, to be run anywhere.
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "lab/command_line.h"
#include "lab/errors.h"
#include "lab/files/case_file.h"
#include "lab/files/worst_cases.h"
#include "lab/output_file.h"
#include "lab/progress_line.h"
#include "lab/verify.h"

namespace touchstone::lab {
namespace {

struct CasesFlags {
  std::vector<std::string> ops;
  std::string out, only_case, suite = "default", recipe;
  bool smallest = false;
};

std::vector<Case> Chosen(const OpSpec& op, const CasesFlags& flags) {
  VerifyOptions options;
  options.only_case = flags.only_case;
  options.smallest = flags.smallest;
  std::vector<Case> cases =
      flags.suite == "full" ? CasesOf(op, Suite::kFull) : ChosenCases(op, options);
  if (!flags.recipe.empty()) {
    std::erase_if(cases, [&](const Case& c) { return Name(c.recipe) != flags.recipe; });
  }
  return cases;
}

// Whatever the command line has wrong is said before anything is made.
std::vector<Case> AllChosen(const CasesFlags& flags) {
  std::vector<Case> all;
  for (const std::string& name : flags.ops) {
    const OpSpec* op = FindOp(name);
    if (op == nullptr) {
      throw UsageError(fmt::format("no op or chain '{}' (`list` names them)", name));
    }
    if (std::count(flags.ops.begin(), flags.ops.end(), name) > 1) {
      throw UsageError(fmt::format("{} stands on the command line twice", name));
    }
    std::vector<Case> chosen = Chosen(*op, flags);
    if (chosen.empty()) {
      throw UsageError(fmt::format("{} has no case in recipe {}", name, flags.recipe));
    }
    for (Case& c : chosen) all.push_back(std::move(c));
  }
  return all;
}

// Those of golden/worst, where `verify` would judge them too. A file has one case of a name: one of
// a name that it has already goes to `left_out`.
std::vector<FileCase> Kept(const CasesFlags& flags, const std::vector<Case>& cases,
                           std::vector<std::string>* left_out) {
  std::vector<FileCase> all;
  if (!flags.only_case.empty() || flags.smallest) return all;
  std::set<std::string> groups;
  for (const Case& c : cases) groups.insert(GroupOf(c));
  for (const std::string& name : flags.ops) {
    for (FileCase& kept : WorstCases(*FindOp(name))) {
      if (!flags.recipe.empty() && Name(kept.c.recipe) != flags.recipe) continue;
      if (groups.insert(GroupOf(kept.c)).second) {
        all.push_back(std::move(kept));
      } else {
        left_out->push_back(fmt::format("{} of {}", GroupOf(kept.c), kept.file));
      }
    }
  }
  return all;
}

int Cases(const CasesFlags& flags) {
  RequireOutput("--out", flags.out, {});
  if (!flags.only_case.empty() && flags.ops.size() != 1) {
    throw UsageError("--case needs exactly one op before it");
  }
  const std::vector<Case> cases = AllChosen(flags);
  std::vector<std::string> left_out;
  const std::vector<FileCase> kept = Kept(flags, cases, &left_out);
  const ProgressLine progress;
  CaseWriter writer(flags.out);
  for (size_t i = 0; i < cases.size(); ++i) {
    progress.Show(fmt::format("{} of {}: {}", i + 1, cases.size(), GroupOf(cases[i])));
    writer.Write(GeneratedCase(cases[i]));
  }
  for (const FileCase& one : kept) writer.Write(one);
  writer.Close();
  progress.Clear();
  fmt::print(
      "wrote {}: {} cases, {}{} bytes\n"
      "For each group, write the op's outputs and the attribute 'digest' to another file, then:\n",
      flags.out, cases.size() + kept.size(),
      kept.empty() ? "" : fmt::format("{} of them from golden/worst, ", kept.size()),
      std::filesystem::file_size(flags.out));
  for (const std::string& op : flags.ops) {
    fmt::print("  ./touchstone verify {} --inputs {} --outputs OUTPUTS.h5\n", op, flags.out);
  }
  for (const std::string& one : left_out) {
    fmt::print("left out: {}: another case has its name\n", one);
  }
  return kPassed;
}

}  // namespace

void AddCasesCommand(CLI::App* app, RunCommand* run) {
  const auto flags = std::make_shared<CasesFlags>();
  CLI::App* cases = app->add_subcommand(
      "cases", "Writes the inputs of an op's cases to a file, to be run anywhere");
  cases->add_option("ops", flags->ops, "ops and chains (`list` names them)")->required();
  cases->add_option("--out", flags->out, "the HDF5 file to write")->required();
  CLI::Option* one = cases->add_option("--case", flags->only_case,
                                       "one case, as a report names it: bf16/normal/C80_T3");
  CLI::Option* suite =
      cases->add_option("--suite", flags->suite, "full: large cases too; default: default")
          ->check(CLI::IsMember({"default", "full"}));
  cases->add_option("--recipe", flags->recipe, "only cases in this recipe")
      ->check(CLI::IsMember({"f32", "bf16"}))
      ->excludes(one);
  cases->add_flag("--smallest", flags->smallest, "only the smallest case of each input class")
      ->excludes(one)
      ->excludes(suite);
  cases->callback([run, flags] { *run = [flags] { return Cases(*flags); }; });
}

}  // namespace touchstone::lab
