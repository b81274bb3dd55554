#include "lab/kernel/kernel_verify.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <exception>
#include <map>
#include <memory>
#include <new>
#include <utility>

#include "lab/errors.h"
#include "lab/input_class.h"
#include "lab/kernel/batch_variants.h"
#include "lab/kernel/case_judge.h"
#include "lab/kernel/ran_case.h"
#include "lab/kernel/work_queue.h"

namespace touchstone::lab {
namespace {

constexpr int kThreadsOfSecondRun = 3;
constexpr size_t kOtherRuns = 3;  // of a case, that are judged too
constexpr size_t kDiagnosed = 3;  // failed cases that are looked at in detail
constexpr size_t kPlaceSamples = 6;
constexpr int64_t kSampleBytes = 8 << 20, kAllSampleBytes = 64 << 20;

int64_t BytesOf(const Tensors& tensors) {
  int64_t bytes = 0;
  for (const auto& [name, tensor] : tensors) bytes += static_cast<int64_t>(tensor.data.size());
  return bytes;
}

std::string RecipeNames(const std::vector<Dtype>& recipes) {
  std::vector<std::string> names;
  for (const Dtype recipe : recipes) names.emplace_back(Name(recipe));
  return fmt::format("{}", fmt::join(names, ", "));
}

// What an allowance adds to the bound, as allowance.h defines it.
std::vector<std::string> WidenedBy(const exact::Allowance& allowance) {
  std::vector<std::string> lines;
  if (allowance.tf32) {
    lines.emplace_back("tf32: each operand of a contraction rounded to 11 bits, off by 2^-11");
  }
  if (allowance.tf32_truncated) {
    lines.emplace_back(
        "tf32_truncated: each operand of a contraction cut to 11 bits, off by 2^-10");
  }
  if (allowance.ftz) {
    lines.emplace_back("ftz: inputs, products, sums and outputs below 2^-126 may be 0");
  }
  return lines;
}

bool Holds(const std::vector<Dtype>& recipes, Dtype recipe) {
  return std::find(recipes.begin(), recipes.end(), recipe) != recipes.end();
}

class Judgement {
 public:
  Judgement(const OpSpec& op, Kernel* kernel, const KernelOptions& options,
            const KernelEvents& events)
      : op_(op), kernel_(*kernel), options_(options), events_(events) {
    yardstick_ = {options.contract, options.profile, options.allowance};
  }

  KernelReport Report() {
    const auto begin = std::chrono::steady_clock::now();
    report_.op = op_.name;
    report_.info = kernel_.info();
    report_.contract = options_.contract;
    if (options_.contract == Contract::kProfile) report_.profile = options_.profile.name;
    report_.widened = WidenedBy(options_.allowance);
    report_.command = options_.command;
    report_.search = options_.search;
    ChooseCases();
    RunCases();
    Total();
    if (!Stopped()) Explain();
    SetVerdict();
    TryDecoysOfSuite();
    report_.seconds =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    return std::move(report_);
  }

 private:
  bool Stopped() const { return options_.stop != nullptr && options_.stop->load(); }

  void Progress(const std::string& what) {
    events_.progress(static_cast<int64_t>(done_), static_cast<int64_t>(cases_.size()), what);
  }

  // ---- cases

  void ChooseCases() {
    std::vector<FileCase> all = options_.given;
    if (all.empty()) {
      const VerifyOptions chosen{
          .only_case = options_.only_case, .smallest = options_.smallest, .suite = options_.suite};
      for (Case& c : ChosenCases(op_, chosen)) {
        all.push_back({.c = std::move(c), .inputs = {}, .digest = {}});
      }
    }
    if (!options_.given.empty() && !options_.only_case.empty()) {
      std::erase_if(all, [&](const FileCase& one) { return one.c.Name() != options_.only_case; });
      if (all.empty()) {
        throw UsageError(fmt::format("there is no case {} among those given", options_.only_case));
      }
    }
    all.insert(all.end(), options_.kept.begin(), options_.kept.end());
    const std::vector<Dtype>& declared = report_.info.recipes;
    const auto wanted = [&](Dtype recipe) {
      return Holds(declared, recipe) &&
             (options_.recipes.empty() || Holds(options_.recipes, recipe));
    };
    for (const Dtype recipe : op_.recipes) {
      if (!wanted(recipe)) report_.left_out.push_back(recipe);
    }
    report_.left_out_reason = options_.recipes.empty()
                                  ? "the kernel does not declare it"
                                  : "not asked for, or not declared by the kernel";
    for (FileCase& one : all) {
      if (!wanted(one.c.recipe)) continue;
      CaseReport& report = report_.cases.emplace_back();
      report.name = one.c.Name();
      report.recipe = one.c.recipe;
      report.input_class = one.c.input_class;
      report.file = one.file;
      report_.given += one.given && !one.kept ? 1 : 0;
      report_.kept += one.kept ? 1 : 0;
      cases_.push_back(std::move(one));
    }
  }

  // ---- running

  void RunCases() {
    samples_.resize(cases_.size());
    WorkQueue<RanCase> judges(options_.threads, [this](RanCase ran) { Judge(std::move(ran)); });
    int crashes = 0, time_outs = 0;
    for (size_t i = 0; i < cases_.size(); ++i) {
      CaseReport& report = report_.cases[i];
      const char* left_out = Stopped()        ? "interrupted"
                             : time_outs == 2 ? "left out after 2 time-outs"  // each takes long
                             : crashes == 3   ? "left out after 3 crashes in a row"
                                              : nullptr;
      if (left_out != nullptr) {
        report.verdict = Verdict::kNotRun;
        report.reason = left_out;
        continue;
      }
      Progress(report.name);
      RanCase ran = RunCase(i, &report);
      const bool crashed = crash_.contains(i);
      crashes = crashed ? crashes + 1 : 0;
      time_outs += crashed && crash_[i] == Verdict::kTimedOut ? 1 : 0;
      if (Stopped() && crashed) {
        // An interrupt from the terminal ends the kernel's process too: that is no crash.
        crash_.erase(i);
        report.verdict = Verdict::kNotRun;
        report.reason = "interrupted";
        continue;
      }
      ++done_;
      if (ran.first.state == RunState::kDone) judges.Push(std::move(ran));
    }
    judges.Finish();
    for (const auto& [i, verdict] : crash_) report_.cases[i].verdict = verdict;
  }

  RanCase RunCase(size_t i, CaseReport* report) {
    RanCase ran;
    ran.index = i;
    ran.c = cases_[i].c;
    try {
      ran.inputs = cases_[i].inputs.empty() ? MakeTensors(ran.c) : cases_[i].inputs;
    } catch (const std::bad_alloc&) {
      report->verdict = Verdict::kNotRun;
      report->reason = "there is not enough memory for its inputs";
      return ran;
    } catch (const std::exception& error) {  // class `real` without its model, say
      report->verdict = Verdict::kNotRun;
      report->reason = fmt::format("the lab cannot make its inputs: {}", error.what());
      return ran;
    }
    for (const Argument& argument : ran.c.op->arguments) {
      if (argument.role == Role::kOut) ran.inputs.erase(argument.name);
    }
    ran.first = RunOnce(i, ran.c, ran.inputs, {}, "", report);
    if (ran.first.state == RunState::kRefused) {
      report->verdict = Verdict::kNotRun;
      const std::string said = report_.info.runs_again ? "refused: " : "";
      report->reason = ran.first.what.empty() ? "refused by the kernel" : said + ran.first.what;
    }
    if (ran.first.state != RunState::kDone || !OutputsAreWhole(ran.c, ran.first, report)) {
      if (ran.first.state == RunState::kDone) ran.first.state = RunState::kFailed;
      return ran;
    }
    if (report_.info.runs_again) {
      RunResult second =
          RunOnce(i, ran.c, ran.inputs, {.poison = Poison::kFinite, .threads = kThreadsOfSecondRun},
                  "run again: ", report);
      if (second.state == RunState::kRefused) {
        Fail(report, "refused", "refused the second time what it did the first", "the same");
      }
      if (second.state == RunState::kDone && OutputsAreWhole(ran.c, second, report)) {
        if (NoteDeterminism(ran, second)) {
          ran.others.push_back(
              {SecondRunOf(report_.info, kThreadsOfSecondRun), ran.c, ran.inputs, second.outputs});
        }
        ran.second = std::move(second);
      }
      if (!crash_.contains(i)) TryVariants(i, &ran, report);
    }
    ran.keep = Keep(BytesOf(ran.inputs) + BytesOf(ran.first.outputs));
    return ran;
  }

  RunResult RunOnce(size_t i, const Case& c, const Tensors& inputs, const RunOptions& how,
                    const std::string& where, CaseReport* report) {
    RunResult run = kernel_.Run(c, inputs, how);
    report->seconds += run.seconds;
    report_.kernel_seconds += run.seconds;
    for (const std::string& breach : run.breaches) Fail(report, "breach", where + breach, "none");
    if (run.state == RunState::kFailed && run.breaches.empty()) {
      Fail(report, "error", where + run.what, "a result");
    }
    if (run.state == RunState::kCrashed || run.state == RunState::kTimedOut) {
      crash_[i] = run.state == RunState::kCrashed ? Verdict::kCrashed : Verdict::kTimedOut;
      report->reason = where + run.what;
    }
    return run;
  }

  // Once for each thing said.
  static void Fail(CaseReport* report, const std::string& what, const std::string& got,
                   const std::string& wanted) {
    for (const Failure& known : report->failures) {
      if (known.what == what && got.ends_with(known.difference.got)) return;
    }
    report->failures.push_back({what, report->name, {"", "", got, wanted}, 0, 0});
  }

  bool Keep(int64_t bytes) {
    if (bytes > kSampleBytes || kept_bytes_ + bytes > kAllSampleBytes) return false;
    kept_bytes_ += bytes;
    return true;
  }

  // Whether the second run gave other bits.
  bool NoteDeterminism(const RanCase& ran, const RunResult& second) {
    Determinism& runs = report_.determinism;
    const Comparison bits = CompareRuns(ran.c, ran.first.outputs, second.outputs);
    ++runs.cases;
    runs.compared += bits.compared;
    runs.different += bits.outside;
    if (!runs.first && bits.first) {
      runs.first = bits.first;
      runs.first_case = ran.c.Name();
    }
    return bits.outside > 0;
  }

  void TryVariants(size_t i, RanCase* ran_case, CaseReport* report) {
    const RanCase& ran = *ran_case;
    Invariance& batch = report_.invariance;
    if (!options_.invariance) return;
    for (const Variant& variant : VariantsOf(ran.c, ran.inputs)) {
      if (Stopped()) return;
      RunResult run = RunOnce(i, variant.c, variant.inputs, {}, variant.what + ": ", report);
      if (run.state == RunState::kRefused) ++batch.refused;
      if (crash_.contains(i)) return;
      if (run.state != RunState::kDone || !OutputsAreWhole(variant.c, run, report)) continue;
      const RowComparison rows = CompareRows(variant, run.outputs, ran.first.outputs);
      if (rows.compared == 0) return;
      ++batch.variants;
      batch.compared_rows += rows.compared;
      batch.different_rows += rows.different;
      if (rows.different > 0 && ran.others.size() < kOtherRuns) {
        ran_case->others.push_back(
            {variant.what, variant.c, variant.inputs, std::move(run.outputs)});
      }
      if (!batch.first && rows.first) {
        batch.first = rows.first;
        batch.first_case = ran.c.Name();
        batch.first_variant = variant.what;
      }
    }
  }

  // ---- judging, on the lab's threads; each case touches its own report and sample

  void Judge(RanCase ran) {
    CaseReport& report = report_.cases[ran.index];
    try {
      const Tensors right = RightOutputs(ran.c, ran.inputs, yardstick_);
      JudgeOutputs(ran.c, ran.inputs, right, ran.first, ran.second ? &*ran.second : nullptr,
                   yardstick_, &report);
      for (OtherRun& other : ran.others) {
        const bool failed = report_.Fails(report);
        JudgeInCompany(other.what, other.c, other.inputs, other.outputs, yardstick_, &report);
        if (failed || !report_.Fails(report) || other_diagnosed_++ >= kDiagnosed) continue;
        // What failed is not what the case's sample shows.
        const Sample sample{other.c, std::move(other.inputs), std::move(other.outputs)};
        report.diagnosis = Diagnose(sample, RightOutputs(sample.c, sample.inputs, yardstick_));
      }
      Sample sample{std::move(ran.c), std::move(ran.inputs), std::move(ran.first.outputs)};
      if (ran.keep) {
        samples_[ran.index] = std::make_unique<Sample>(std::move(sample));
      } else if (report_.Fails(report)) {
        report.diagnosis = Diagnose(sample, right);
      }
    } catch (const std::bad_alloc&) {
      report.verdict = Verdict::kNotRun;
      report.reason = "there is not enough memory to judge it";
    } catch (const std::exception& error) {
      // The fault is not the kernel's: nothing can be said of it here.
      report.verdict = Verdict::kNotRun;
      report.reason = fmt::format("the lab cannot judge it: {}", error.what());
    }
  }

  // ---- after all cases

  void Total() {
    for (const CaseReport& one : report_.cases) {
      report_.bits_compared += one.bits_compared;
      report_.bits_different += one.bits_different;
      for (const auto& [name, output] : one.outputs) {
        report_.bound.Join(output);
        report_.strength[fmt::format("{}/{}/{}", Name(one.recipe), one.input_class, name)].Join(
            output);
      }
    }
    report_.smallest_rejected = BluntestRejection(report_.strength);
    Invariance& batch = report_.invariance;
    batch.rows = op_.rows;
    if (!options_.invariance) {
      batch.untested = "not asked for";
    } else if (!report_.info.runs_again) {
      batch.untested = "this kernel cannot be run again";
    } else if (op_.rows == 0) {
      batch.untested = "the rows of this op depend on each other";
    } else if (batch.variants == 0) {
      batch.untested = "no case whose rows could be rearranged ran";
    }
  }

  // The samples that came to an end, smallest first: a profile that does not fit is out early.
  std::vector<Sample> Samples(bool rounding_only) {
    std::vector<Sample> chosen;
    for (const auto& sample : samples_) {
      if (sample == nullptr) continue;
      if (rounding_only && (sample->c.recipe == Dtype::kF32 || BytesOf(sample->got) == 0 ||
                            sample->c.input_class != "normal")) {
        continue;
      }
      chosen.push_back(*sample);
    }
    std::stable_sort(chosen.begin(), chosen.end(), [](const Sample& a, const Sample& b) {
      return BytesOf(a.inputs) < BytesOf(b.inputs);
    });
    return chosen;
  }

  void Explain() {
    size_t diagnosed = 0;
    for (size_t i = 0; i < cases_.size() && diagnosed < kDiagnosed; ++i) {
      CaseReport& one = report_.cases[i];
      if (!report_.Fails(one)) continue;
      ++diagnosed;
      if (one.diagnosis || samples_[i] == nullptr) continue;
      Progress("what failed");
      const Sample& sample = *samples_[i];
      one.diagnosis = Diagnose(sample, RightOutputs(sample.c, sample.inputs, yardstick_));
    }
    if (report_.bits_different == 0) return;
    Progress("profiles");
    const std::vector<Sample> all = Samples(false);
    report_.profiles_tried = !all.empty();
    report_.profile_cases = static_cast<int64_t>(all.size());
    if (!all.empty()) report_.profiles = MatchingProfiles(all);
    std::vector<Sample> rounding = Samples(true);
    if (rounding.size() > kPlaceSamples) rounding.resize(kPlaceSamples);
    if (options_.contract != Contract::kProfile)
      report_.places = PlacesUsedIn(rounding, options_.allowance);
  }

  void SetVerdict() {
    const int64_t ran = report_.Ran();
    const auto any = [&](Verdict word) { return report_.Count(word) > 0; };
    std::string& reason = report_.reason;
    if (Stopped()) {
      reason = fmt::format("interrupted after {} of {} cases", done_, cases_.size());
    }
    if (any(Verdict::kCrashed)) {
      report_.verdict = Verdict::kCrashed;
    } else if (any(Verdict::kTimedOut)) {
      report_.verdict = Verdict::kTimedOut;
    } else if (any(Verdict::kFailed)) {
      report_.verdict = Verdict::kFailed;
    } else if (Stopped()) {
      report_.verdict = Verdict::kNotRun;
    } else if (ran == 0) {
      report_.verdict = Verdict::kNotRun;
      reason = WhyNothingRan();
    } else if (report_.bits_compared == 0) {
      report_.verdict = Verdict::kFailed;
      reason = "the cases that ran have no element that could be compared";
    } else if (report_.bits_different == 0) {
      report_.verdict = Verdict::kBitExact;
    } else if (report_.bound.Passed()) {
      report_.verdict = Verdict::kWithinBound;
    } else {
      report_.verdict = Verdict::kFailed;
      reason = "no element of which the bound can say something";
    }
  }

  std::string WhyNothingRan() const {
    if (cases_.empty()) {
      return fmt::format("the kernel computes {}; no case of these was asked for",
                         RecipeNames(report_.info.recipes));
    }
    return fmt::format("all {} cases were left out, the first because: {}", cases_.size(),
                       report_.cases.front().reason);
  }

  void TryDecoysOfSuite() {
    const bool passed =
        report_.verdict == Verdict::kBitExact || report_.verdict == Verdict::kWithinBound;
    // Whoever gives values of his own asks for those, not for a suite. Decoys are tried on the
    // cases that their names generate.
    if (!options_.decoys) {
      report_.decoys_untried = "not asked for";
    } else if (!passed) {
      report_.decoys_untried = "they show what a passed suite is worth";
    } else if (std::ssize(cases_) - report_.kept <= 1 || report_.given > 0) {
      report_.decoys_untried = "they try a suite, not single cases";
    } else if (options_.smallest) {
      report_.decoys_untried = "they try a whole suite, not its smallest cases";
    }
    if (!report_.decoys_untried.empty()) return;
    Progress("decoys");
    // Of a recipe that the kernel does not have, nothing is claimed.
    OpSpec judged = op_;
    judged.recipes.clear();
    TriedSuite suite{.exact = options_.contract != Contract::kBounded,
                     .allowance = options_.allowance};
    for (size_t i = 0; i < cases_.size(); ++i) {
      const Case& c = cases_[i].c;
      if (report_.cases[i].verdict == Verdict::kNotRun) {
        suite.not_run.insert(c.Name());
      } else if (!cases_[i].given) {
        suite.cases.push_back(c);
        if (!Holds(judged.recipes, c.recipe)) judged.recipes.push_back(c.recipe);
      }
    }
    try {
      report_.decoys = TryDecoys(judged, suite, options_.threads);
    } catch (const std::exception& error) {  // what was found of the kernel must not be lost
      report_.decoys_untried = fmt::format("the lab cannot make them: {}", error.what());
    }
    for (const DecoyResult& decoy : report_.decoys) {
      if (decoy.fate != DecoyFate::kPassed) continue;
      report_.verdict = Verdict::kUnderpowered;
      report_.reason =
          fmt::format("a planted fault, '{}', passes every case that ran; {} would have shown it",
                      decoy.name, decoy.by);
      return;
    }
  }

  const OpSpec& op_;
  Kernel& kernel_;
  const KernelOptions& options_;
  const KernelEvents& events_;
  Yardstick yardstick_;
  KernelReport report_;
  std::vector<FileCase> cases_;                   // one for each of report_.cases
  std::vector<std::unique_ptr<Sample>> samples_;  // null: not kept
  std::map<size_t, Verdict> crash_;               // case: CRASHED or TIMED OUT
  std::atomic<size_t> other_diagnosed_{0};        // runs in company that were looked at in detail
  int64_t kept_bytes_ = 0;
  size_t done_ = 0;
};

}  // namespace

KernelReport JudgeKernel(const OpSpec& op, Kernel* kernel, const KernelOptions& options,
                         const KernelEvents& events) {
  return Judgement(op, kernel, options, events).Report();
}

}  // namespace touchstone::lab
