#include "fuzz/search/fuzz_command.h"

#include <fmt/format.h>
#include <signal.h>

#include <atomic>
#include <charconv>
#include <cstdio>
#include <memory>

#include "fuzz/search/fuzz_run.h"
#include "lab/errors.h"
#include "lab/kernel/cuda_kernel.h"
#include "lab/kernel/kernel_command.h"
#include "lab/kernel/plugin_kernel.h"
#include "lab/progress_line.h"
#include "lab/spec.h"

namespace touchstone::fuzz {
namespace {

// "60s", "5m", "1h", "0.5": seconds.
double SecondsOf(const std::string& text) {
  double number = 0.0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  const std::string unit(end, text.data() + text.size());
  const double scale = unit.empty() || unit == "s" ? 1.0 : unit == "m" ? 60.0 : 3600.0;
  const bool known = unit.empty() || unit == "s" || unit == "m" || unit == "h";
  if (error != std::errc() || !known || !(number > 0.0) || !(number * scale <= 1e7)) {
    throw lab::UsageError(fmt::format("--time {}: expected a time like 60s, 5m or 1h", text));
  }
  return number * scale;
}

std::atomic<bool> stopped = false;

// From the first SIGINT or SIGTERM on `stopped` is true; a second one ends the process. What was
// there before comes back at the end.
class StopOnSignals {
 public:
  StopOnSignals() {
    struct sigaction action = {};
    action.sa_handler = [](int) { stopped = true; };
    action.sa_flags = static_cast<int>(SA_RESETHAND);
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, &interrupt_);
    sigaction(SIGTERM, &action, &terminate_);
  }
  ~StopOnSignals() {
    sigaction(SIGINT, &interrupt_, nullptr);
    sigaction(SIGTERM, &terminate_, nullptr);
  }
  StopOnSignals(const StopOnSignals&) = delete;
  StopOnSignals& operator=(const StopOnSignals&) = delete;

 private:
  struct sigaction interrupt_ = {}, terminate_ = {};
};

struct FuzzFlags {
  std::string op, time = "60s", contract = "bounded";
  FuzzOptions options;
  lab::KernelLimits limits;
};

int Fuzz(FuzzFlags flags) {
  const lab::OpSpec* op = lab::FindOp(flags.op);
  if (op == nullptr) {
    throw lab::UsageError(fmt::format("no op or chain '{}' (`list` names them)", flags.op));
  }
  FuzzOptions& options = flags.options;
  options.limits.seconds = SecondsOf(flags.time);
  options.searched.op = op->name;
  options.searched.exact = flags.contract == "exact";
  MakeKernel make_kernel;
  if (!options.searched.kernel.empty()) {
    make_kernel = lab::KernelMakerOf(options.searched.kernel, *op, flags.limits, "");
  }

  const lab::ProgressLine progress;
  FuzzEvents events;
  events.stop = [] { return stopped.load(); };
  events.progress = [&](const std::string& line) { progress.Show(line); };
  events.say = [](const std::string& lines) {
    fmt::print("{}", lines);
    std::fflush(stdout);
  };
  const StopOnSignals stop;
  try {
    return RunFuzz(*op, options, make_kernel, events);
  } catch (const lab::KernelCrashed& crash) {
    fmt::print(stderr, "touchstone: {}\n", crash.what());
    return lab::kCrashed;
  }
}

}  // namespace

void AddFuzzCommand(CLI::App* app, lab::RunCommand* run) {
  const auto flags = std::make_shared<FuzzFlags>();
  FuzzOptions& options = flags->options;
  CLI::App* fuzz = app->add_subcommand(
      "fuzz", "Searches an op for a case on which a kernel is wrong, and makes it small");
  fuzz->add_option("op", flags->op, "an op or a chain")->required();
  fuzz->add_option(
      "--kernel", options.searched.kernel,
      "a library, ./mine.so or ./mine.so:symbol, or a CUDA source, ./mine.cu (default: "
      "the reference by its bound, and the implementations built in by its bits)");
  CLI::Option* timeout =
      fuzz->add_option("--timeout", flags->limits.seconds, "seconds for one run of the kernel")
          ->check(lab::SecondsOfACall());
  fuzz->add_option("--contract", flags->contract, "bits (exact) or bound (bounded, the default)")
      ->check(CLI::IsMember({"exact", "bounded"}));
  fuzz->add_option("--time", flags->time, "how long: 60s (default), 5m, 1h");
  fuzz->add_option("--cases", options.limits.trials, "at most so many trials (default: no limit)")
      ->check(CLI::PositiveNumber);
  CLI::Option* seed =
      fuzz->add_option("--seed", options.searched.seed, "of all trials (default: 1)")
          ->check(lab::UnsignedInteger());
  CLI::Option* from = fuzz->add_option("--from", options.from, "the first trial (default: 0)")
                          ->check(lab::UnsignedInteger());
  fuzz->add_option("--jobs", options.limits.jobs,
                   "threads, each with a kernel process (default: 1)")
      ->check(CLI::Range(1, 256));
  fuzz->add_option("--out", options.folder,
                   "folder of the ledger and of failures (default: touchstone-failures)");
  fuzz->add_flag("--resume", options.resume, "continue from the ledger in that folder")
      ->excludes(from);
  fuzz->add_flag("--keep-going", options.keep_going,
                 "search on after a failure; one of each kind is kept");
  fuzz->callback([run, flags, seed, timeout] {
    flags->options.seed_given = seed->count() > 0;
    if (timeout->count() > 0) flags->options.searched.timeout = flags->limits.seconds;
    *run = [flags] { return Fuzz(*flags); };
  });
}

}  // namespace touchstone::fuzz
