#include "fuzz/search/search.h"

#include <algorithm>
#include <chrono>
#include <iterator>
#include <utility>
#include <vector>

#include "lab/errors.h"
#include "reference/arithmetic/parallel.h"
#include "reference/formats/require.h"

namespace touchstone::fuzz {
namespace {

using Clock = std::chrono::steady_clock;

double SecondsSince(Clock::time_point begin) {
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

constexpr double kBeat = 0.2;  // seconds of a batch

std::vector<Dtype> RecipesOf(const lab::OpSpec& op, const lab::Kernel* kernel) {
  if (kernel == nullptr) return op.recipes;
  std::vector<Dtype> both;
  for (const Dtype recipe : op.recipes) {
    const auto& mine = kernel->info().recipes;
    if (std::find(mine.begin(), mine.end(), recipe) != mine.end()) both.push_back(recipe);
  }
  if (both.empty()) throw lab::KernelUnavailable("the kernel supports no recipe of " + op.name);
  return both;
}

}  // namespace

void Coverage::Note(const Trial& trial, const Judgement& judgement) {
  ++trials;
  if (judgement.outcome == Outcome::kRefused) ++refused;
  compared += judgement.compared;
  undecidable += judgement.undecidable;
  for (const auto& [letter, size] : trial.c.op->sizes) ++sizes[letter][trial.c.size(letter)];
  for (const auto& [name, value] : trial.c.attributes) ++attributes[name][value];
  ++classes[std::string(Name(trial.c.recipe)) + "/" + trial.c.input_class];
  for (const std::string& pattern : trial.patterns) ++patterns[pattern];
}

// Trials that the threads take one after the other, in ascending order. Whatever is taken is run,
// so that when all threads have ended every trial before `end` that was taken has run.
struct Search::Batch {
  std::atomic<uint64_t> next;
  std::atomic<uint64_t> end;  // lowered to a failure; no trial behind it counts
  Clock::time_point until;
  const std::function<bool()>& stop;

  void LowerEnd(uint64_t to) {
    uint64_t before = end.load();
    while (to < before && !end.compare_exchange_weak(before, to)) {
    }
  }
};

std::vector<Search::Job> Search::MakeJobs(const MakeKernel& make_kernel, bool exact, int jobs) {
  std::vector<Job> all;
  for (int job = 0; job < std::max(jobs, 1); ++job) {
    std::unique_ptr<lab::Kernel> kernel = make_kernel ? make_kernel() : nullptr;
    const TrialJudge judge(kernel.get(), exact);
    all.push_back({std::move(kernel), judge});
  }
  return all;
}

Search::Search(const lab::OpSpec& op, uint64_t seed, MakeKernel make_kernel, bool exact,
               SearchLimits limits)
    : jobs_(MakeJobs(make_kernel, exact, limits.jobs)),
      generator_(op, RecipesOf(op, jobs_.front().kernel.get())),
      seed_(seed),
      limits_(limits) {}

Search::Made Search::Try(uint64_t index, const TrialJudge& judge) const {
  Made made{.index = index};
  for (uint32_t attempt = 0; attempt < Generator::kAttempts; ++attempt) {
    try {
      Trial trial = generator_.Make(seed_, index, attempt);
      made.judgement = judge.Judge(trial);
      if (made.judgement.outcome != Outcome::kInvalid) {
        made.trial = std::move(trial);
        return made;
      }
    } catch (const ContractViolation&) {
      // The op's fill or the list of its cases refuses it.
    } catch (const lab::UsageError&) {
      // Its class needs what this place does not have.
    }
    ++made.invalid;
  }
  return made;
}

std::vector<Search::Made> Search::RunBatch(const TrialJudge& judge, Batch* batch) const {
  std::vector<Made> mine;
  while (Clock::now() < batch->until && !batch->stop()) {
    const uint64_t index = batch->next.fetch_add(1);
    if (index >= batch->end.load()) break;
    mine.push_back(Try(index, judge));
    Made& made = mine.back();
    if (made.judgement.Failed()) {
      batch->LowerEnd(index + 1);
      // Whoever stops the search from a terminal stops the kernel's process too.
      if (batch->stop() && made.judgement.outcome >= Outcome::kError) batch->LowerEnd(index);
    } else if (made.trial) {
      made.trial->tensors.clear();
    }
  }
  return mine;
}

std::optional<Found> Search::Gather(std::vector<Made> all, uint64_t end) {
  std::sort(all.begin(), all.end(), [](const Made& a, const Made& b) { return a.index < b.index; });
  for (Made& made : all) {
    if (made.index >= end) break;
    ++run_;
    next_ = made.index + 1;
    coverage_.invalid += made.invalid;
    if (!made.trial) {
      ++coverage_.given_up;
      continue;
    }
    coverage_.Note(*made.trial, made.judgement);
    if (made.judgement.Failed()) return Found{made.index, std::move(*made.trial), made.judgement};
  }
  return std::nullopt;
}

std::optional<Found> Search::Run(const std::function<bool()>& stop,
                                 const std::function<void()>& beat) {
  const Clock::time_point begin = Clock::now();
  const double before = seconds_;
  std::optional<Found> found;
  while (!found && !stop() && seconds_ < limits_.seconds) {
    const uint64_t left = limits_.trials == 0 ? uint64_t{1} << 40 : limits_.trials - run_;
    if (left == 0) break;
    const double seconds = std::min(kBeat, limits_.seconds - seconds_);
    Batch batch{{next_},
                {next_ + left},
                Clock::now() + std::chrono::microseconds(static_cast<int64_t>(seconds * 1e6) + 1),
                stop};
    std::vector<std::vector<Made>> parts(jobs_.size());
    ParallelFor(static_cast<int64_t>(jobs_.size()), static_cast<int>(jobs_.size()),
                [&](int64_t job) {
                  const auto i = static_cast<size_t>(job);
                  parts[i] = RunBatch(jobs_[i].judge, &batch);
                });
    std::vector<Made> all;
    for (auto& part : parts) std::move(part.begin(), part.end(), std::back_inserter(all));
    found = Gather(std::move(all), batch.end.load());
    seconds_ = before + SecondsSince(begin);
    beat();
  }
  return found;
}

}  // namespace touchstone::fuzz
