#include "lab/commands.h"

#include <fmt/format.h>

#include <chrono>
#include <cstdio>
#include <set>

#include "golden/hdf5_file.h"
#include "lab/errors.h"
#include "lab/golden_ops.h"
#include "lab/hardware_runs.h"
#include "lab/input_class.h"
#include "lab/progress_line.h"
#include "lab/report.h"
#include "lab/repository.h"
#include "lab/rules.h"
#include "reference/formats/contract_version.h"

namespace touchstone::lab {
namespace {

void Print(const std::string& text) {
  std::fwrite(text.data(), 1, text.size(), stdout);
  std::fflush(stdout);
}

std::string Joined(const std::vector<std::string>& words) {
  return fmt::format("{}", fmt::join(words, ", "));
}

std::string RoleName(Role role) {
  return role == Role::kIn ? "in" : role == Role::kOut ? "out" : "in and out";
}

std::string StoredName(Stored stored) {
  return stored == Stored::kRecipe ? "storage" : stored == Stored::kF32 ? "f32" : "i64";
}

std::string ShowRule(const Rule& rule) {
  return fmt::format(
      "{}  {}\n\n  {}\n\n  formula  {}\n  code     {}\n  tests    {}\n  text     {}\n", rule.id,
      rule.title, rule.says, rule.formula, Joined(rule.code), Joined(rule.tests),
      "docs/chapters/numerics_contract.md");
}

std::string ShowOp(const OpSpec& op) {
  std::string text = fmt::format("{}  {}\n\n  {}\n\n", op.name, op.title, op.formula);
  for (const Argument& argument : op.arguments) {
    std::vector<std::string> letters;
    for (const char letter : argument.dims) letters.emplace_back(1, letter);
    text += fmt::format("  {:<14} ({})  {}, {}\n", argument.name, Joined(letters),
                        StoredName(argument.stored), RoleName(argument.role));
  }
  for (const auto& [name, value] : op.attributes)
    text += fmt::format("  {:<14} {} by default\n", name, value);
  std::vector<std::string> recipes;
  for (const Dtype recipe : op.recipes) recipes.emplace_back(Name(recipe));
  text += fmt::format("\n  recipes  {}\n  rules    {}\n", Joined(recipes), Joined(op.rules));
  if (op.is_chain()) {
    std::vector<std::string> steps;
    for (const Step& step : op.steps) steps.push_back(step.op);
    text += fmt::format("  steps    {}\n", fmt::join(steps, ", "));
    text += fmt::format("  code     lab/ops/{}.cc (its steps)\n", op.name);
  } else {
    text += fmt::format(
        "  code     reference/ops/{0}/{0}.h (contract), reference/ops/{0}/{0}.cc (loops),\n"
        "           reference/exact/{0}.cc (second reference and bound)\n",
        op.name);
  }
  std::vector<std::string> places;
  for (const auto& [place, how] : AllPlaces(op, exact::Place::kOn))
    places.push_back(exact::Name(place));
  text += fmt::format("  places   {}\n", places.empty() ? "none inside" : Joined(places));
  text +=
      fmt::format("  tests    lab/ops/{0}.cc: {1} cases, {2} worked examples; golden/ops/{0}.h5\n",
                  op.name, CasesOf(op).size(), op.examples.size());
  text += fmt::format("  page     docs/ops/{}.md\n", op.is_chain() ? "chains" : op.name);
  std::set<std::string> classes;
  for (const Case& c : CasesOf(op)) classes.insert(c.input_class);
  text += fmt::format("  classes  {}\n", fmt::join(classes, ", "));
  text += fmt::format("\n  inputs   {}\n", op.reason);
  for (const WorkedExample& example : op.examples)
    text += fmt::format("  by hand  {}\n", example.what);
  return text;
}

}  // namespace

int VerifyCommand(const VerifyOptions& options, const ReportFiles& files) {
  const auto begin = std::chrono::steady_clock::now();
  const ProgressLine progress;
  const size_t total = options.ops.empty() ? AllOps().size() : options.ops.size();
  size_t done = 0;
  bool head_printed = false;
  VerifyEvents events;
  events.progress = [&](const std::string& what) {
    progress.Show(fmt::format("{} of {}: {}", done + 1, total, what));
  };
  events.done = [&](const OpReport& report) {
    progress.Clear();
    done += report.implementation == "reference" ? 1 : 0;
    if (files.quiet && report.failures.empty()) return;
    if (!head_printed) Print(TableHead());
    head_printed = true;
    Print(TableLine(report));
  };
  const std::vector<OpReport> reports = Verify(options, events);
  progress.Clear();
  const double seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  Print(TableFoot(reports, seconds));
  if (!files.json.empty()) WriteTextFile(files.json, Json(reports));
  if (!files.junit.empty()) WriteTextFile(files.junit, JUnit(reports));
  return ExitCodeOf(reports, options.exact);
}

int ListCommand(bool json) {
  std::string text = json ? "{\n  \"ops\": [" : "ops, in the order of a forward pass\n";
  std::string separator;
  for (const OpSpec* op : AllOps()) {
    if (json) {
      text += fmt::format(
          "{}\n    {{\"name\": \"{}\", \"title\": \"{}\", \"chain\": {}, \"cases\": {}}}",
          separator, op->name, op->title, op->is_chain(), CasesOf(*op).size());
      separator = ",";
      continue;
    }
    std::string implementations;
    for (size_t i = 1; i < op->implementations.size(); ++i) {
      const std::string& name = op->implementations[i].name;
      const std::vector<std::string> unproven = UnprovenWrappers(op->name, name);
      implementations += fmt::format("\n    {}", name);
      if (!unproven.empty()) implementations += fmt::format("  UNPROVEN {}", Joined(unproven));
    }
    for (const std::string& name : op->only_on_gpu) {
      implementations += fmt::format("\n    {}  NOT RUN without a GPU; bounded", name);
    }
    text += fmt::format("  {:<22} {:<28} {} cases{}{}\n", op->name, op->title, CasesOf(*op).size(),
                        op->is_chain() ? ", a chain" : "", implementations);
  }
  if (json) {
    Print(text + fmt::format("\n  ],\n  \"input_classes\": [\"{}\"],\n  \"contract\": {}\n}}\n",
                             fmt::join(GeneralClassNames(), "\", \""), kContractVersion));
    return kPassed;
  }
  text += "\ngeneral input classes (`explain OP`: the classes of an op)\n  ";
  text += Joined(GeneralClassNames()) + "\n\nrules\n";
  for (const Rule& rule : AllRules()) text += fmt::format("  {:<4} {}\n", rule.id, rule.title);
  text += fmt::format("\ncontract version {}\n", kContractVersion);
  Print(text);
  return kPassed;
}

int ExplainCommand(const std::string& topic) {
  if (const Rule* rule = FindRule(topic)) {
    Print(ShowRule(*rule));
  } else if (const OpSpec* op = FindOp(topic)) {
    Print(ShowOp(*op));
  } else {
    throw UsageError(fmt::format(
        "nothing to explain about '{}': give a rule (N1 to N12) or an op (`list`)", topic));
  }
  return kPassed;
}

int GoldenMakeCommand(const std::vector<std::string>& ops, const std::string& out, Suite suite,
                      int threads) {
  WriteGolden(ops, out.empty() ? RepositoryRoot() : out, suite, threads);
  Print(fmt::format("wrote golden/ops and golden/MANIFEST below {}\n",
                    out.empty() ? RepositoryRoot() : out));
  return kPassed;
}

int GoldenCheckCommand(Suite suite, int threads) {
  int64_t hashed = 0;
  const std::vector<std::string> problems = CheckGolden(RepositoryRoot(), suite, threads, &hashed);
  for (const std::string& problem : problems) Print(fmt::format("FAILED {}\n", problem));
  const std::vector<OpReport> reports = Verify({.threads = threads}, {});
  int64_t bits = 0, failed = 0;
  for (const OpReport& report : reports) {
    bits += report.bits_compared;
    for (const Failure& failure : report.failures) {
      if (failure.what == "bound") continue;
      ++failed;
      Print(fmt::format("FAILED {} {} {}[{}]: got {}, expected {}\n", report.op, failure.case_name,
                        failure.difference.tensor, failure.difference.at, failure.difference.got,
                        failure.difference.wanted));
    }
  }
  Print(fmt::format(
      "{} tensors have the hashes of golden/MANIFEST; the reference gives {} elements again, "
      "bit for bit; contract version {}\n{} passed, {} failed\n",
      hashed, bits, kContractVersion, problems.empty() && failed == 0 ? 1 : 0,
      problems.size() + static_cast<size_t>(failed)));
  return problems.empty() && failed == 0 && hashed > 0 && bits > 0 ? kPassed : kFailed;
}

int GoldenShowCommand(const std::string& file, const std::string& path, int64_t count) {
  const golden::Reader reader(file);
  std::string text;
  int64_t shown = 0;
  for (const std::string& name : reader.Paths()) {
    if (!path.empty() && name.find(path) == std::string::npos) continue;
    const Tensor tensor = reader.Read(name);
    ++shown;
    text += fmt::format("{}  {} ({})\n", name, Name(tensor.dtype), fmt::join(tensor.shape, ", "));
    const int64_t elements = path.empty() ? 0 : std::min(count, tensor.count());
    for (int64_t i = 0; i < elements; ++i)
      text += fmt::format("  [{}] {}\n", i, ShowElement(tensor, i));
    if (!path.empty() && elements < tensor.count()) {
      text += fmt::format("  and {} more (--count)\n", tensor.count() - elements);
    }
  }
  if (shown == 0) throw UsageError(fmt::format("{}: no tensor whose path holds '{}'", file, path));
  Print(text);
  return kPassed;
}

}  // namespace touchstone::lab
