#include "fuzz/search/fuzz_run.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <set>

#include "fuzz/search/search_report.h"
#include "fuzz/search/standalone_program.h"
#include "lab/errors.h"
#include "lab/output_file.h"

namespace touchstone::fuzz {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::chrono::seconds kLedgerEvery{1};

// Says what stands in the way of the folder, before anything is run or made.
void RequireNoOther(const std::string& folder) {
  std::error_code error;
  if (std::filesystem::exists(folder, error) && !std::filesystem::is_directory(folder, error)) {
    throw lab::UsageError(fmt::format("--out {}: no folder, and none can be made", folder));
  }
}

// The folder, made where it is missing.
void RequireFolder(const std::string& folder) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (!std::filesystem::is_directory(folder)) {
    throw lab::UsageError(fmt::format("--out {}: no folder, and none can be made", folder));
  }
}

bool Ended(Outcome outcome) {
  return outcome == Outcome::kCrashed || outcome == Outcome::kTimedOut;
}

class Run {
 public:
  Run(const lab::OpSpec& op, const FuzzOptions& options, const MakeKernel& make_kernel,
      const FuzzEvents& events)
      : op_(op), options_(options), events_(events), path_(LedgerFile(options.folder, op.name)) {
    RequireNoOther(options.folder);
    const Searched& searched = options.searched;
    ledger_ = {
        .op = op.name,
        .seed = searched.seed,
        .exact = searched.exact,
        .kernel = searched.kernel,
        .kernel_sha256 = searched.kernel.empty() ? "" : FileSha256(LibraryOf(searched.kernel).file),
        .next = options.from};
    if (options.resume) Resume();
    search_.emplace(op, ledger_.seed, make_kernel, searched.exact, options.limits);
    search_->SetNext(ledger_.next);
    for (const LedgerFailure& failure : ledger_.failures) kinds_.insert(failure.kind);
  }

  // The folder is made here: a kernel that is not there leaves nothing behind.
  int Search() {
    RequireFolder(options_.folder);
    lab::RequireOutput("--out", path_, {});
    WriteLedger(path_, ledger_);
    while (const std::optional<Found> found = search_->Run(events_.stop, [this] { Beat(); })) {
      if (kinds_.insert(found->judgement.Kind()).second) {
        Keep(*found);
      } else {
        ++again_;
      }
      if (!options_.keep_going) break;
    }
    SaveLedger();
    return Finish();
  }

 private:
  void Resume() {
    const std::optional<Ledger> before = ReadLedger(path_);
    if (!before) {
      throw lab::UsageError(fmt::format("--resume: there is no {}", path_));
    }
    if (before->op != op_.name || (options_.seed_given && before->seed != ledger_.seed)) {
      throw lab::UsageError(
          fmt::format("--resume: {} is of op {} and seed {}", path_, before->op, before->seed));
    }
    ledger_.seed = before->seed;
    ledger_.next = before->next;
    events_.say(fmt::format("resumed: seed {}, trial {}\n", before->seed, before->next));
    const bool same = before->kernel == ledger_.kernel && before->exact == ledger_.exact &&
                      before->kernel_sha256 == ledger_.kernel_sha256;
    if (same) {
      ledger_.failures = before->failures;
      earlier_ = ledger_.failures.size();
    } else {
      events_.say(
          "note: the kernel or the contract is not the one that the ledger was written for: the "
          "trials before this one have not tried it\n");
    }
  }

  void Beat() {
    events_.progress(ProgressText(op_, search_->coverage(), search_->seconds()));
    if (Clock::now() - written_ >= kLedgerEvery) SaveLedger();
  }

  void SaveLedger() {
    ledger_.next = search_->next();
    WriteLedger(path_, ledger_);
    written_ = Clock::now();
  }

  // Makes it small, writes its files, then notes it: a ledger never names a file that is not there.
  void Keep(const Found& found) {
    ShrinkLimits limits = options_.shrink;
    limits.stop = events_.stop;
    limits.progress = events_.progress;
    Searched searched = options_.searched;
    searched.seed = ledger_.seed;
    const Failure failure{
        found.index, found.trial,
        Shrink(search_->generator(), *search_->judge(), found.trial, found.judgement, limits)};
    const std::vector<std::string> paths = WriteFailure(options_.folder, searched, failure);
    ledger_.failures.push_back({found.index, found.judgement.Kind(),
                                std::filesystem::path(paths.front()).filename().string(),
                                Ended(found.judgement.outcome)});
    events_.progress("");
    const std::string program = paths.size() > 2 ? paths[2] : "";
    events_.say(FailureText(searched, failure, paths[1], program));
    events_.say(fmt::format("written  {}\n", fmt::join(paths, " ")));
  }

  int Finish() {
    events_.progress("");
    const Coverage& coverage = search_->coverage();
    events_.say(CoverageText(op_, search_->generator().recipes(), coverage, search_->seconds()));
    if (events_.stop()) events_.say("stopped: --resume continues\n");
    for (size_t i = 0; i < earlier_; ++i) {
      events_.say(fmt::format("found before: {} ({}/{})\n", ledger_.failures[i].kind,
                              options_.folder, ledger_.failures[i].report));
    }
    const bool ran = coverage.compared > 0;
    const std::string failures = fmt::format("{} different failures", ledger_.failures.size());
    const std::string again = again_ > 0 ? fmt::format(", met {} times more", again_) : "";
    const bool ended = std::any_of(ledger_.failures.begin(), ledger_.failures.end(),
                                   [](const LedgerFailure& failure) { return failure.ended; });
    if (!ledger_.failures.empty()) {
      events_.say(fmt::format("FAILED: {}{}\n", failures, again));
      return ended ? lab::kCrashed : lab::kFailed;
    }
    events_.say(ran ? fmt::format("no failure found with seed {}, trials {} to {}\n", ledger_.seed,
                                  search_->next() -
                                      static_cast<uint64_t>(coverage.trials + coverage.given_up),
                                  search_->next() - 1)
                    : "NOT RUN: nothing was compared\n");
    return ran ? lab::kPassed : lab::kNotRun;
  }

  const lab::OpSpec& op_;
  const FuzzOptions& options_;
  const FuzzEvents& events_;
  const std::string path_;
  Ledger ledger_;
  std::optional<fuzz::Search> search_;
  std::set<std::string> kinds_;
  size_t earlier_ = 0;  // failures that the ledger had
  int64_t again_ = 0;
  Clock::time_point written_ = Clock::now();
};

}  // namespace

int RunFuzz(const lab::OpSpec& op, const FuzzOptions& options, const MakeKernel& make_kernel,
            const FuzzEvents& events) {
  return Run(op, options, make_kernel, events).Search();
}

}  // namespace touchstone::fuzz
