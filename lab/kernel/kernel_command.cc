#include "lab/kernel/kernel_command.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <cctype>
#include <charconv>
#include <csignal>
#include <cstdio>

#include "golden/pending_file.h"
#include "lab/errors.h"
#include "lab/kernel/kernel_verify.h"
#include "lab/kernel/plugin_kernel.h"
#include "lab/output_file.h"
#include "lab/progress_line.h"
#include "lab/report.h"
#include "lab/shown_text.h"

namespace touchstone::lab {
namespace {

std::atomic<bool> interrupted{false};

// The first interrupt ends the run after the case that is under way, and what was found is
// reported; the second ends the program.
extern "C" void NoteInterrupt(int) {
  interrupted.store(true);
  golden::RemoveUnfinishedFilesOnSignals();
}

// Bytes of "512M", "4G"; 0 for empty: the default.
int64_t BytesFrom(const std::string& text) {
  if (text.empty()) return 0;
  int64_t number = 0;
  const char* const end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, number);
  const std::string unit(rest, end);
  const int shift = unit == "M" ? 20 : unit == "G" ? 30 : -1;
  if (error != std::errc() || shift < 0 || number <= 0 || number > 1 << 20) {
    throw UsageError(
        fmt::format("--memory-limit: expected a number and M or G, say 4G, not '{}'", text));
  }
  return number << shift;
}

// A word of a command line as a shell reads it.
std::string ShellWord(const std::string& word) {
  const auto is_plain = [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 ||
           std::string_view("_-./:=,+@%").find(c) != std::string_view::npos;
  };
  if (!word.empty() && std::all_of(word.begin(), word.end(), is_plain)) return word;
  std::string quoted = "'";
  for (const char c : word) quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return quoted + "'";
}

// What repeats the run, up to the case.
std::string CommandOf(const KernelFlags& flags, const std::string& contract,
                      const VerifyOptions& options) {
  std::string command = fmt::format("./touchstone verify {} --kernel {}", options.ops.front(),
                                    ShellWord(flags.kernel));
  const auto add = [&](const char* flag, const std::string& value) {
    if (!value.empty()) command += fmt::format(" {} {}", flag, ShellWord(value));
  };
  if (flags.profile.empty()) add("--contract", contract == "bounded" ? "" : contract);
  add("--profile", flags.profile);
  add("--allow", flags.allow);
  add("--memory-limit", flags.memory_limit);
  if (flags.time_limit > 0.0) add("--time-limit", fmt::format("{}", flags.time_limit));
  return command;
}

exact::Profile ProfileNamed(const std::string& name) {
  for (const exact::Profile& profile : exact::HonestProfiles()) {
    if (profile.name == name) return profile;
  }
  throw UsageError(fmt::format("--profile: no profile {}", TerminalText(name)));
}

KernelOptions OptionsOf(const KernelFlags& flags, const std::string& contract,
                        const VerifyOptions& options) {
  KernelOptions judged;
  judged.only_case = options.only_case;
  judged.suite = options.suite;
  judged.smallest = options.smallest;
  judged.invariance = !flags.no_invariance;
  judged.threads = options.threads;
  judged.command = CommandOf(flags, contract, options);
  judged.stop = &interrupted;
  if (!flags.recipe.empty()) judged.recipes = {*DtypeFromName(flags.recipe)};
  if (contract == "exact") judged.contract = Contract::kExact;
  if (!flags.profile.empty()) {
    if (contract == "exact" || contract == "bounded") {
      throw UsageError(fmt::format("--profile asks for contract profile, not {}", contract));
    }
    judged.contract = Contract::kProfile;
    judged.profile = ProfileNamed(flags.profile);
  } else if (contract == "profile") {
    throw UsageError("--contract profile needs --profile and its name or choices");
  }
  return judged;
}

// A report of a kernel that was not there to be run, or ended while it was loaded.
KernelReport WithoutRun(const std::string& kernel, const OpSpec& op, const KernelOptions& options,
                        Verdict verdict, const std::string& reason) {
  KernelReport report;
  report.op = op.name;
  report.info.name = report.info.origin = kernel;
  report.info.op = op.name;
  report.contract = options.contract;
  report.command = options.command;
  report.verdict = verdict;
  report.reason = reason;
  report.decoys_untried = "nothing ran";
  return report;
}

KernelReport Judged(const std::string& library, const OpSpec& op, const KernelLimits& limits,
                    const KernelOptions& options) {
  const ProgressLine progress;
  KernelEvents events;
  events.progress = [&](int64_t done, int64_t all, const std::string& what) {
    progress.Show(fmt::format("{} of {}: {}", done, all, what));
  };
  try {
    PluginKernel kernel(library, op, limits);
    std::signal(SIGINT, NoteInterrupt);
    KernelReport report = JudgeKernel(op, &kernel, options, events);
    progress.Clear();
    return report;
  } catch (const KernelCrashed& crash) {
    return WithoutRun(library, op, options,
                      crash.state == RunState::kTimedOut ? Verdict::kTimedOut : Verdict::kCrashed,
                      crash.what());
  } catch (const KernelUnavailable& missing) {
    return WithoutRun(library, op, options, Verdict::kNotRun, missing.what());
  }
}

}  // namespace

void AddKernelFlags(CLI::App* verify, KernelFlags* flags) {
  const std::string group = "A kernel of yours";
  verify->add_option("--kernel", flags->kernel, "a shared library: ./mine.so, ./mine.so:symbol")
      ->group(group);
  verify
      ->add_option("--profile", flags->profile,
                   "hold it to the bits of a numerics profile: a name, or its choices")
      ->group(group);
  verify->add_option("--allow", flags->allow, "widen the bound: tf32, ftz, ... (by commas)")
      ->group(group);
  verify->add_option("--recipe", flags->recipe, "only this recipe: f32 or bf16")
      ->check(CLI::IsMember({"f32", "bf16"}))
      ->group(group);
  verify->add_option("--time-limit", flags->time_limit, "seconds that one call may take")
      ->check(CLI::PositiveNumber)
      ->group(group);
  verify->add_option("--memory-limit", flags->memory_limit, "of the kernel's process, say 4G")
      ->group(group);
  verify->add_flag("--no-invariance", flags->no_invariance, "leave out the rows in other company")
      ->group(group);
}

void RequireKernel(const KernelFlags& flags) {
  const auto refuse = [](const std::string& flag) {
    throw UsageError(fmt::format("{} is about a kernel of yours: give --kernel too", flag));
  };
  if (!flags.profile.empty()) refuse("--profile");
  if (!flags.allow.empty()) refuse("--allow");
  if (!flags.recipe.empty()) refuse("--recipe");
  if (!flags.memory_limit.empty()) refuse("--memory-limit");
  if (flags.time_limit > 0.0) refuse("--time-limit");
  if (flags.no_invariance) refuse("--no-invariance");
}

int VerifyKernelCommand(const KernelFlags& flags, const std::string& contract,
                        const VerifyOptions& options, const ReportFiles& files) {
  if (options.ops.size() != 1) {
    throw UsageError("--kernel needs exactly one op before it: the one that the kernel computes");
  }
  const OpSpec* op = FindOp(options.ops.front());
  if (op == nullptr) {
    throw UsageError(fmt::format("no op or chain '{}' (`list` names them)", options.ops.front()));
  }
  if (!files.json.empty()) RequireOutput("--json", files.json, {flags.kernel});
  if (!files.junit.empty()) RequireOutput("--junit", files.junit, {flags.kernel});
  const KernelOptions judged = OptionsOf(flags, contract, options);

  KernelLimits limits;
  if (flags.time_limit > 0.0) limits.seconds = flags.time_limit;
  if (const int64_t bytes = BytesFrom(flags.memory_limit); bytes > 0) limits.memory_bytes = bytes;
  const KernelReport report = Judged(flags.kernel, *op, limits, judged);
  const std::string text = KernelText(report, StyleOfTerminal(files.quiet));
  std::fwrite(text.data(), 1, text.size(), stdout);
  std::fflush(stdout);
  if (!files.json.empty()) WriteTextFile(files.json, KernelJson({report}));
  if (!files.junit.empty()) WriteTextFile(files.junit, KernelJUnit({report}));
  return ExitCodeOf(report);
}

}  // namespace touchstone::lab
