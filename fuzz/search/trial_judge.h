// What one trial gives: the lab's comparisons, and what kind of failure it is. Shrinking keeps a
// trial's kind.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "fuzz/search/trial.h"
#include "lab/judge.h"
#include "lab/kernel/kernel.h"

namespace touchstone::fuzz {

enum class Outcome {
  kPassed,
  kInvalid,  // breaks the op's contract: no trial
  kRefused,  // the kernel does not support it
  kOutside,  // an element outside its bound
  kBits,     // other bits than the reference's, where bits were asked for
  kBreach,   // did what a kernel may not do, whatever its outputs
  kError,    // returned an error, or threw
  kCrashed,
  kTimedOut,
};
std::string Word(Outcome outcome);  // "OUTSIDE ITS BOUND"

struct Judgement {
  Outcome outcome = Outcome::kPassed;
  std::string who;                  // "reference", "optimized/lanes", the kernel's name
  std::string output;               // the first that failed, where outputs were compared
  lab::Difference difference = {};  // its first failing element
  std::string what = {};            // of all others than kOutside and kBits: one line
  int64_t compared = 0, undecidable = 0, outside = 0;

  bool Failed() const { return outcome > Outcome::kRefused; }
  // Equal for the same failure: who, how, in which output.
  std::string Kind() const;
};

class TrialJudge {
 public:
  // Without a kernel the reference is judged by the second reference's bound and every built-in
  // implementation by the reference's bits; with one, it alone is, by bits where `exact`, else by
  // the bound (the hull over rounding places). The kernel must outlive the judge.
  explicit TrialJudge(lab::Kernel* kernel = nullptr, bool exact = false)
      : kernel_(kernel), exact_(exact) {}

  // Never throws because of the trial or the kernel. Called from one thread at a time.
  Judgement Judge(const Trial& trial) const;

  lab::Kernel* kernel() const { return kernel_; }
  bool exact() const { return exact_; }

 private:
  Judgement JudgeBuiltIn(const Trial& trial, const lab::Tensors& right) const;
  Judgement JudgeKernel(const Trial& trial, const lab::Tensors& right) const;

  lab::Kernel* kernel_;
  bool exact_;
};

}  // namespace touchstone::fuzz
