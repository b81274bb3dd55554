// The main job: every op and chain on every case. The reference must lie within the bound that the
// second reference derives for each element, give the frozen golden bits, and redo its worked
// examples by hand; a chain's parts, run alone from the chain's frozen tensors, must give the
// frozen bits; every other implementation of an op must give the reference's bits.
#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <map>
#include <string>
#include <vector>

#include "lab/judge.h"
#include "lab/spec.h"

namespace touchstone::lab {

enum class Verdict {
  kBitExact,
  kWithinBound,
  kFailed,
  kUnderpowered,
  kCrashed,
  kTimedOut,
  kNotRun,
};
std::string Word(Verdict verdict);  // "BIT-EXACT", ...

struct VerifyOptions {
  std::vector<std::string> ops = {};  // empty: all
  std::string only_case = {};         // the name of one case; empty: all
  bool smallest = false;              // of each input class and recipe the smallest case
  Suite suite = Suite::kDefault;
  // cpu: the reference and the candidates under optimized/. simt: the kernels under the CPU
  // execution model, each case in two schedules. cuda: the kernels on a GPU.
  std::string device = "cpu";
  bool golden = true;  // compare with the frozen files
  bool exact = false;  // WITHIN BOUND is not enough
  int threads = 1;
};

struct Failure {
  std::string what;  // "golden", "bound", "worked example", "part rmsnorm", "optimized/..."
  std::string case_name;
  Difference difference;
  int64_t outside = 0;
  int64_t compared = 0;
};

// The strength of one input class in one recipe, for one output.
struct Strength {
  double smallest_rejected = std::numeric_limits<double>::infinity();
  int64_t decided = 0, compared = 0, undecidable = 0;

  void Join(const Comparison& output);
};

struct OpReport {
  std::string op;
  std::string implementation;  // "reference" or the candidate's name
  Verdict verdict = Verdict::kFailed;
  std::string reason = {};  // of NOT RUN
  // Wrappers of PTX that it uses and that no GPU has confirmed: "ptx/cp_async".
  std::vector<std::string> unproven = {};
  int64_t cases = 0;
  Comparison bound = {};  // in the bounded contract: the hull over inner rounding places
  int64_t bits_compared = 0;
  double seconds = 0.0;
  double device_seconds = 0.0;                    // in the kernel's calls on a GPU, by its events
  std::vector<Failure> failures = {};             // the first of each kind and case, at most eight
  std::map<std::string, Strength> strength = {};  // by "recipe/class/output"
};

// The smallest error rejected in the output where that is largest; infinity where no output has
// one. By "recipe/class/output".
double BluntestRejection(const std::map<std::string, Strength>& strength);

// Calls `done` after each report, and `progress` with a line about what runs now.
struct VerifyEvents {
  std::function<void(const OpReport&)> done = [](const OpReport&) {};
  std::function<void(const std::string&)> progress = [](const std::string&) {};
};

// Throws UsageError for an op or case that does not exist, golden::BadFile for a broken file.
std::vector<OpReport> Verify(const VerifyOptions& options, const VerifyEvents& events);

// 0 something ran and all passed, 1 a failure (or only within a bound where the contract asked for
// is exact), 3 nothing ran.
int ExitCodeOf(const std::vector<OpReport>& reports, bool exact);

// The cases that the options choose.
std::vector<Case> ChosenCases(const OpSpec& op, const VerifyOptions& options);

}  // namespace touchstone::lab
