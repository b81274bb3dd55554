// The search: trial after trial of one op, on some threads, until time or trials are spent or one
// fails. Which trials fail depends on the seed alone, not on the threads: a failure ends the search
// at its trial, and all trials before it have run.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "fuzz/search/generator.h"
#include "fuzz/search/trial_judge.h"

namespace touchstone::fuzz {

// What a search met.
struct Coverage {
  int64_t trials = 0;    // that were judged, whatever came of them
  int64_t invalid = 0;   // attempts that broke the op's contract, and were made again
  int64_t given_up = 0;  // trials of which every attempt did
  int64_t refused = 0;   // trials that the kernel does not support
  int64_t compared = 0, undecidable = 0;             // elements
  std::map<char, std::map<int64_t, int64_t>> sizes;  // letter, size, trials
  std::map<std::string, std::map<double, int64_t>> attributes;
  std::map<std::string, int64_t> classes;   // "f32/normal"
  std::map<std::string, int64_t> patterns;  // of given values, "class" where there are none

  void Note(const Trial& trial, const Judgement& judgement);
};

struct Found {
  uint64_t index = 0;
  Trial trial;
  Judgement judgement;
};

struct SearchLimits {
  uint64_t trials = 0;  // run at most so many; 0: no limit
  double seconds = 60.0;
  int jobs = 1;
};

// A kernel for each job. Empty: the built-in implementations are judged.
using MakeKernel = std::function<std::unique_ptr<lab::Kernel>()>;

class Search {
 public:
  Search(const lab::OpSpec& op, uint64_t seed, MakeKernel make_kernel, bool exact,
         SearchLimits limits);

  // Runs the trials from next() on. Returns the first that fails; nothing where the limits were
  // reached or `stop` became true. `beat` is called a few times a second, between trials, from the
  // thread of the caller.
  std::optional<Found> Run(const std::function<bool()>& stop, const std::function<void()>& beat);

  // Continue there: what a ledger holds, or after a failure.
  uint64_t next() const { return next_; }
  void SetNext(uint64_t next) { next_ = next; }

  const Coverage& coverage() const { return coverage_; }
  const Generator& generator() const { return generator_; }
  TrialJudge* judge() { return &jobs_.front().judge; }
  double seconds() const { return seconds_; }  // in Run so far
  const SearchLimits& limits() const { return limits_; }

  // The trial of an index: of its attempts the first that is valid (nothing where none is), what it
  // gave, and how many were not.
  struct Made {
    uint64_t index = 0;
    std::optional<Trial> trial = {};
    Judgement judgement = {};
    int64_t invalid = 0;
  };
  Made Try(uint64_t index, const TrialJudge& judge) const;

 private:
  struct Job {
    std::unique_ptr<lab::Kernel> kernel;
    TrialJudge judge;
  };
  struct Batch;
  static std::vector<Job> MakeJobs(const MakeKernel& make_kernel, bool exact, int jobs);
  std::vector<Made> RunBatch(const TrialJudge& judge, Batch* batch) const;
  // The first failure of a batch, if any; counts what lies before it.
  std::optional<Found> Gather(std::vector<Made> all, uint64_t end);

  std::vector<Job> jobs_;
  Generator generator_;
  uint64_t seed_;
  SearchLimits limits_;
  Coverage coverage_;
  uint64_t next_ = 0;
  uint64_t run_ = 0;  // trials in this process
  double seconds_ = 0.0;
};

}  // namespace touchstone::fuzz
