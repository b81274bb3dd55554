#include "lab/kernel/kernel_command.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <charconv>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <stdexcept>

#include "golden/pending_file.h"
#include "lab/errors.h"
#include "lab/files/case_file.h"
#include "lab/files/recorded_kernel.h"
#include "lab/files/worst_cases.h"
#include "lab/kernel/cuda_kernel.h"
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

// What repeats the run, up to the case.
std::string CommandOf(const KernelFlags& flags, const std::string& contract,
                      const VerifyOptions& options) {
  std::string command = fmt::format("./touchstone verify {}", options.ops.front());
  const auto add = [&](const char* flag, const std::string& value) {
    if (!value.empty()) command += fmt::format(" {} {}", flag, ShellWord(value));
  };
  add("--kernel", flags.kernel);
  add("--device", flags.device);
  add("--inputs", flags.inputs);
  add("--outputs", flags.outputs);
  if (flags.profile.empty()) add("--contract", contract == "bounded" ? "" : contract);
  add("--profile", flags.profile);
  add("--allow", flags.allow);
  add("--memory-limit", flags.memory_limit);
  if (flags.time_limit > 0.0) add("--time-limit", fmt::format("{}", flags.time_limit));
  return command;
}

// What finds the smallest input on which a kernel is wrong; the search knows neither profiles nor
// allowances, and needs a kernel that it can run.
std::string SearchOf(const KernelFlags& flags, const std::string& contract,
                     const VerifyOptions& options) {
  if (flags.kernel.empty() || !flags.profile.empty() || !flags.allow.empty()) return "";
  if (flags.device == "cuda" && IsCudaSource(flags.kernel)) return "";  // it knows no devices
  std::string command =
      fmt::format("./touchstone fuzz {} --kernel {}", options.ops.front(), ShellWord(flags.kernel));
  if (contract == "exact") command += " --contract exact";
  if (flags.time_limit > 0.0) command += fmt::format(" --timeout {}", flags.time_limit);
  return command;
}

// Both readers say what they expected, and quote what they found as it came.
template <typename Read>
auto ReadFlag(const char* flag, const std::string& text, Read read) {
  try {
    return read(text);
  } catch (const std::invalid_argument& error) {
    throw UsageError(fmt::format("{}: {}", flag, PrintableText(error.what())));
  }
}

KernelOptions OptionsOf(const KernelFlags& flags, const std::string& contract,
                        const VerifyOptions& options) {
  KernelOptions judged;
  judged.only_case = options.only_case;
  judged.suite = options.suite;
  judged.smallest = options.smallest;
  judged.invariance = !flags.no_invariance;
  judged.decoys = !flags.no_decoys;
  judged.threads = options.threads;
  judged.command = CommandOf(flags, contract, options);
  judged.search = SearchOf(flags, contract, options);
  judged.stop = &interrupted;
  if (!flags.recipe.empty()) judged.recipes = {*DtypeFromName(flags.recipe)};
  judged.allowance = ReadFlag("--allow", flags.allow, exact::AllowanceFromText);
  if (judged.allowance.any() && !flags.profile.empty()) {
    throw UsageError("--allow widens the bound; a profile is compared bit for bit");
  }
  if (contract == "exact") judged.contract = Contract::kExact;
  if (!flags.profile.empty()) {
    if (contract == "exact" || contract == "bounded") {
      throw UsageError(fmt::format("--profile asks for contract profile, not {}", contract));
    }
    judged.contract = Contract::kProfile;
    judged.profile = ReadFlag("--profile", flags.profile, exact::ProfileFromText);
    judged.profile.name = exact::ProfileText(judged.profile);
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

KernelReport Judged(const KernelFlags& flags, const OpSpec& op, KernelOptions options) {
  KernelLimits limits;
  if (flags.time_limit > 0.0) limits.seconds = flags.time_limit;
  if (const int64_t bytes = BytesFrom(flags.memory_limit); bytes > 0) limits.memory_bytes = bytes;
  const ProgressLine progress;
  KernelEvents events;
  events.progress = [&](int64_t done, int64_t all, const std::string& what) {
    progress.Show(fmt::format("{} of {}: {}", done, all, what));
  };
  try {
    std::unique_ptr<Kernel> kernel;
    if (!flags.inputs.empty()) {
      options.given = ReadCases(flags.inputs, &op);
      NoteKept(op, &options.given);
    } else if (options.only_case.empty() && !options.smallest) {
      options.kept = WorstCases(op);
    }
    if (flags.kernel.empty()) {
      kernel = std::make_unique<RecordedKernel>(flags.outputs, op, options.given);
    } else {
      if (IsCudaSource(flags.kernel)) progress.Show("compiling " + TerminalText(flags.kernel));
      kernel = KernelMakerOf(flags.kernel, op, limits, flags.device)();
    }
    std::signal(SIGINT, NoteInterrupt);
    KernelReport report = JudgeKernel(op, kernel.get(), options, events);
    progress.Clear();
    return report;
  } catch (const KernelCrashed& crash) {
    return WithoutRun(flags.kernel, op, options,
                      crash.state == RunState::kTimedOut ? Verdict::kTimedOut : Verdict::kCrashed,
                      crash.what());
  } catch (const KernelUnavailable& missing) {
    return WithoutRun(flags.kernel, op, options, Verdict::kNotRun, missing.what());
  }
}

}  // namespace

CLI::Validator SecondsOfACall() {
  return CLI::Validator(
      [](const std::string& text) -> std::string {
        char* end = nullptr;
        const double seconds = std::strtod(text.c_str(), &end);
        const bool number = !text.empty() && *end == '\0';
        if (number && 0.0 < seconds && seconds <= 1e6) return "";
        return fmt::format("expected seconds, more than 0 and at most 1e6, not '{}'", text);
      },
      "SECONDS");
}

void AddKernelFlags(CLI::App* verify, KernelFlags* flags) {
  const std::string group = "A kernel of yours";
  verify
      ->add_option("--kernel", flags->kernel,
                   "a shared library, ./mine.so or ./mine.so:symbol, or a CUDA source, ./mine.cu")
      ->group(group);
  verify->add_option("--inputs", flags->inputs, "cases of a file that `cases` or `fuzz` wrote")
      ->group(group);
  verify
      ->add_option("--outputs", flags->outputs,
                   "what a kernel that ran somewhere else computed from them")
      ->group(group);
  verify
      ->add_option("--profile", flags->profile,
                   "hold it to the bits of a numerics profile: a name, or its choices")
      ->group(group);
  verify
      ->add_option("--allow", flags->allow,
                   "widen the bound: tf32, tf32_truncated, ftz (by commas)")
      ->group(group);
  verify->add_option("--recipe", flags->recipe, "only this recipe: f32 or bf16")
      ->check(CLI::IsMember({"f32", "bf16"}))
      ->group(group);
  verify->add_option("--time-limit", flags->time_limit, "seconds that one call may take")
      ->check(SecondsOfACall())
      ->group(group);
  verify->add_option("--memory-limit", flags->memory_limit, "of the kernel's process, say 4G")
      ->group(group);
  verify->add_flag("--no-invariance", flags->no_invariance, "leave out the rows in other company")
      ->group(group);
  verify->add_flag("--no-decoys", flags->no_decoys, "leave out the planted faults")->group(group);
}

bool JudgesKernel(const KernelFlags& flags) {
  const bool library = !flags.kernel.empty();
  const bool recorded = !flags.inputs.empty() || !flags.outputs.empty();
  const auto refuse = [](bool given, const std::string& flag, const std::string& why) {
    if (given) throw UsageError(fmt::format("{} {}", flag, why));
  };
  refuse(library && !flags.outputs.empty(), "--outputs",
         "is what a kernel wrote that ran somewhere else: leave out --kernel");
  refuse(recorded && flags.inputs.empty(), "--outputs", "needs --inputs: the cases that were run");
  refuse(!library && recorded && flags.outputs.empty(), "--inputs",
         "needs --outputs, what a kernel wrote, or --kernel, which is run on them");
  if (!library) {
    const std::string why = "is about a kernel that is run here: give --kernel too";
    refuse(!flags.memory_limit.empty(), "--memory-limit", why);
    refuse(flags.time_limit > 0.0, "--time-limit", why);
    refuse(flags.no_invariance, "--no-invariance", why);
    refuse(recorded && !flags.device.empty(), "--device", why);
  }
  if (!library && !recorded) {
    const std::string why = "is about a kernel of yours: give --kernel too";
    refuse(!flags.profile.empty(), "--profile", why);
    refuse(!flags.allow.empty(), "--allow", why);
    refuse(!flags.recipe.empty(), "--recipe", why);
    refuse(flags.no_decoys, "--no-decoys", why);
  }
  return library || recorded;
}

int VerifyKernelCommand(const KernelFlags& flags, const std::string& contract,
                        const VerifyOptions& options, const ReportFiles& files) {
  if (options.ops.size() != 1) {
    throw UsageError("a kernel is judged with exactly one op: verify OP, the one that it computes");
  }
  const OpSpec* op = FindOp(options.ops.front());
  if (op == nullptr) {
    throw UsageError(fmt::format("no op or chain '{}' (`list` names them)", options.ops.front()));
  }
  if (!flags.inputs.empty() && (options.smallest || options.suite == Suite::kFull)) {
    throw UsageError("--inputs says which cases there are: leave out --smallest and --suite");
  }
  std::vector<std::string> read;
  const std::string library = flags.kernel.substr(0, flags.kernel.rfind(':'));
  for (const std::string& file : {flags.kernel, library, flags.inputs, flags.outputs}) {
    if (!file.empty()) read.push_back(file);
  }
  if (!files.json.empty() && files.json == files.junit) {
    throw UsageError(fmt::format("--json and --junit: both are {}", files.json));
  }
  if (!files.json.empty()) RequireOutput("--json", files.json, read);
  if (!files.junit.empty()) RequireOutput("--junit", files.junit, read);
  const KernelReport report = Judged(flags, *op, OptionsOf(flags, contract, options));
  const std::string text = KernelText(report, StyleOfTerminal(files.quiet));
  std::fwrite(text.data(), 1, text.size(), stdout);
  std::fflush(stdout);
  if (!files.json.empty()) WriteTextFile(files.json, KernelJson({report}));
  if (!files.junit.empty()) WriteTextFile(files.junit, KernelJUnit({report}));
  return ExitCodeOf(report);
}

}  // namespace touchstone::lab
