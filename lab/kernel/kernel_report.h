// Stage 4 of the lab, what is known of a kernel after it was judged, and how that is shown: on the
// terminal, as JSON and as JUnit's XML. docs/chapters/reading_a_verdict.md explains every line,
// docs/chapters/reports.md the files.
//
// Text that the kernel's author wrote (its name, what it printed) is shown escaped everywhere.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "lab/decoys/decoys.h"
#include "lab/diagnosis/diagnosis.h"
#include "lab/judge.h"
#include "lab/kernel/kernel.h"
#include "lab/kernel/places_used.h"
#include "lab/spec.h"
#include "lab/verify.h"

namespace touchstone::lab {

// What the kernel promises (docs/chapters/contracts.md).
enum class Contract { kBounded, kExact, kProfile };
std::string Name(Contract contract);  // "bounded", "exact", "profile"

// One case of a kernel. NOT RUN: the kernel refused it, or it was left out.
struct CaseReport {
  std::string name;
  std::string file = {};  // of golden/worst, where the case was not among those asked for
  Dtype recipe = Dtype::kF32;
  std::string input_class;
  Verdict verdict = Verdict::kFailed;
  std::string reason = {};  // of NOT RUN, CRASHED and TIMED OUT
  // Against the bound, by output; empty where that is not asked (contract profile).
  std::map<std::string, Comparison> outputs = {};
  int64_t bits_compared = 0, bits_different = 0;  // from the reference, or from it under a profile
  std::vector<Failure> failures = {};             // at most one of each kind
  std::optional<Failure> bits = {};               // the first other bits, accepted or not
  std::optional<Diagnosis> diagnosis = {};        // of the first failed cases
  double seconds = 0.0;                           // in the kernel
};

// The same case run twice, with other poison and another number of threads.
struct Determinism {
  int64_t cases = 0, compared = 0, different = 0;
  std::string first_case = {};
  std::optional<Difference> first = {};
};

// Cases run again with their rows in other company.
struct Invariance {
  std::string untested = {};  // why nothing was tried
  char rows = 0;              // the letter
  int64_t compared_rows = 0, different_rows = 0, variants = 0, refused = 0;
  std::string first_case = {}, first_variant = {};
  std::optional<Difference> first = {};  // wanted: the row's bits in the case itself
};

struct KernelReport {
  std::string op;
  KernelInfo info;
  Contract contract = Contract::kBounded;
  std::string profile = {};               // contract profile: which
  std::vector<std::string> widened = {};  // what --allow added to the bound, a line each
  std::string command = {};               // repeats the run: a case is appended to it
  std::string search = {};  // finds the smallest input that fails; empty: there is no such command
  Verdict verdict = Verdict::kFailed;
  std::string reason = {};  // of NOT RUN, and of other words where one line says more

  std::vector<Dtype> left_out = {};  // recipes of the op that were not run, and why
  std::string left_out_reason = {};
  std::vector<CaseReport> cases = {};
  int64_t given = 0;  // of them, with values of a file in place of those that the name generates
  int64_t kept = 0;   // of them, out of golden/worst

  // All cases together.
  Comparison bound = {};
  int64_t bits_compared = 0, bits_different = 0;
  std::map<std::string, Strength> strength = {};  // by "recipe/class/output"
  double smallest_rejected = 0.0;  // in the output where that is largest; infinity: none

  // Which declared choices explain the bits; tried where they are not the contract's.
  bool profiles_tried = false;
  MatchingProfile profiles = {};
  int64_t profile_cases = 0;  // those tried; larger ones are left out
  std::vector<PlaceUse> places = {};

  Determinism determinism = {};
  Invariance invariance = {};
  std::string decoys_untried = {};  // why there are none
  std::vector<DecoyResult> decoys = {};

  double seconds = 0.0, kernel_seconds = 0.0;

  int64_t Count(Verdict word) const;                  // cases of that verdict
  int64_t Ran() const;                                // cases that are not NOT RUN
  bool Fails(const CaseReport& one) const;            // under the contract; NOT RUN does not
  std::string RepeatOf(const CaseReport& one) const;  // the command that runs this case alone
};

// 0 to 5, the highest of what happened (lab/errors.h).
int ExitCodeOf(const KernelReport& report);

// `width` columns; `color`: the verdict's word alone is coloured. `quiet`: the verdict and
// failures.
struct TextStyle {
  int width = 100;
  bool color = false;
  bool quiet = false;
};
TextStyle StyleOfTerminal(bool quiet);  // of standard output

std::string KernelText(const KernelReport& report, const TextStyle& style);
std::string KernelJson(const std::vector<KernelReport>& reports);
std::string KernelJUnit(const std::vector<KernelReport>& reports);

}  // namespace touchstone::lab
