#include "lab/verify.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <exception>
#include <utility>

#include "lab/cuda_library.h"
#include "lab/errors.h"
#include "lab/golden_ops.h"
#include "lab/hardware_runs.h"
#include "lab/input_class.h"
#include "lab/kernel/built_in_kernel.h"
#include "lab/kernel/kernel_verify.h"
#include "reference/arithmetic/parallel.h"

namespace touchstone::lab {
namespace {

constexpr size_t kShownFailures = 8;

// What one case gave.
struct CaseResult {
  std::map<std::string, Comparison> outputs;  // against the hull
  int64_t bits_compared = 0;
  std::vector<Failure> failures;

  void Note(const std::string& what, const std::string& case_name, const Comparison& comparison) {
    if (comparison.outside == 0 || !comparison.first) return;
    failures.push_back(
        {what, case_name, *comparison.first, comparison.outside, comparison.compared});
  }
};

// Every tensor of the case that is also frozen must have the frozen bits; all outputs must be
// there.
void CompareFrozen(const Case& c, const Tensors& tensors, const Frozen& frozen,
                   CaseResult* result) {
  const auto found = frozen.cases.find(c.Name());
  if (found == frozen.cases.end()) {
    result->failures.push_back(
        {"golden", c.Name(), {"", "", "no such case in the golden file", "the case"}, 1, 0});
    return;
  }
  for (const auto& item : tensors) {
    const std::string& name = item.first;
    const Tensor& tensor = item.second;
    const auto wanted = found->second.find(name);
    if (wanted == found->second.end()) {
      result->failures.push_back({"golden",
                                  c.Name(),
                                  {name, "", "no such tensor in the golden file", "the tensor"},
                                  1,
                                  0});
      continue;
    }
    const auto argument = std::find_if(c.op->arguments.begin(), c.op->arguments.end(),
                                       [&](const Argument& a) { return a.name == name; });
    const std::string dims = argument == c.op->arguments.end()
                                 ? std::string("ijkl").substr(0, tensor.shape.size())
                                 : argument->dims;
    const Comparison bits = CompareBits(name, dims, tensor, wanted->second);
    result->bits_compared += bits.compared;
    result->Note("golden", c.Name(), bits);
  }
}

// Of a hashed case the frozen hashes stand for the bits.
void CompareHashes(const Case& c, const Tensors& tensors, const Frozen& frozen,
                   CaseResult* result) {
  for (const Argument& argument : c.op->arguments) {
    const Tensor& tensor = tensors.at(argument.name);
    result->bits_compared += tensor.count();
    if (const auto difference = HashDifference(c, frozen, argument.name, tensor)) {
      result->failures.push_back({"golden", c.Name(), *difference, 1, 1});
    }
  }
}

// Each step of a chain alone, from the chain's tensors.
void CompareParts(const Case& c, const Tensors& chain, CaseResult* result) {
  for (const StepCase& part : StepsOf(c)) {
    const auto frozen = [&](const Argument& argument, bool before) {
      const std::string& name = part.step->tensors.at(argument.name);
      Tensor tensor = chain.at(before ? BeforeName(name) : name);
      tensor.shape = ShapeOf(part.c, argument);
      return tensor;
    };
    Tensors mine;
    for (const Argument& argument : part.c.op->arguments) {
      mine.emplace(argument.name, argument.role == Role::kOut
                                      ? Tensor(DtypeOf(part.c, argument), ShapeOf(part.c, argument))
                                      : frozen(argument, argument.role == Role::kInOut));
    }
    Run(part.c, &mine, 1);
    for (const Argument& argument : part.c.op->arguments) {
      if (argument.role == Role::kIn) continue;
      const Comparison bits = CompareBits(argument.name, argument.dims, mine.at(argument.name),
                                          frozen(argument, false));
      result->bits_compared += bits.compared;
      result->Note("part " + part.step->op, c.Name(), bits);
    }
  }
}

CaseResult VerifyReference(const Case& c, const Frozen* frozen) {
  CaseResult result;
  const Tensors inputs = MakeTensors(c);
  const Tensors tensors = MakeGolden(c, 1);
  // The reference has every rounding place; a bounded kernel may have any of them.
  const Comparison strict =
      CompareWithExpected(c, tensors, Enclose(c, inputs, AllPlaces(*c.op, exact::Place::kOn)));
  result.Note("bound", c.Name(), strict);
  result.outputs =
      CompareOutputs(c, tensors, Enclose(c, inputs, AllPlaces(*c.op, exact::Place::kHull)));
  for (const auto& [name, output] : result.outputs) result.Note("bound", c.Name(), output);
  if (frozen != nullptr && c.hashed) {
    CompareHashes(c, tensors, *frozen, &result);
    if (c.op->is_chain() && result.failures.empty()) CompareParts(c, tensors, &result);
  } else if (frozen != nullptr) {
    CompareFrozen(c, tensors, *frozen, &result);
    const auto found = frozen->cases.find(c.Name());
    if (c.op->is_chain() && found != frozen->cases.end() && result.failures.empty()) {
      CompareParts(c, found->second, &result);
    }
  }
  return result;
}

// An implementation that is part of this program, judged like a stranger's kernel and held to the
// reference's bits, in each of two runs and in any company; or, where its sums are a library's own,
// to the bound.
OpReport VerifyImplementation(const OpSpec& op, const Implementation& implementation,
                              const VerifyOptions& options) {
  BuiltInKernel kernel(op, implementation);
  KernelOptions how;
  // Slow there, and rows in other company are other cases' rows: every case has to be exact.
  how.invariance = options.device != "simt" && !implementation.is_bounded;
  how.contract = implementation.is_bounded ? Contract::kBounded : Contract::kExact;
  how.only_case = options.only_case;
  how.suite = options.suite;
  how.smallest = options.smallest;
  how.decoys = false;
  how.threads = options.threads;
  const KernelReport judged = JudgeKernel(op, &kernel, how);
  OpReport report{.op = op.name, .implementation = implementation.name};
  report.unproven = UnprovenWrappers(op.name, implementation.name);
  report.cases = judged.Ran();
  report.device_seconds = implementation.device_seconds ? judged.kernel_seconds : 0.0;
  if (implementation.is_bounded) {
    report.bound = judged.bound;
    report.strength = judged.strength;
  } else {
    report.bound.compared = report.bits_compared = judged.bits_compared;
    report.bound.outside = judged.bits_different;
  }
  const auto add = [&](const std::string& what, const std::string& case_name,
                       const Difference& difference, int64_t outside, int64_t compared) {
    report.failures.push_back({what, case_name, difference, outside, compared});
  };
  for (const CaseReport& one : judged.cases) {
    for (const Failure& failure : one.failures) {
      if (failure.what != "bound" || implementation.is_bounded) report.failures.push_back(failure);
    }
    if (one.bits && !implementation.is_bounded) {
      add(implementation.name, one.name, one.bits->difference, one.bits->outside,
          one.bits->compared);
    }
    if (one.verdict == Verdict::kNotRun) add("not run", one.name, {"", "", one.reason, ""}, 0, 0);
  }
  const Determinism& runs = judged.determinism;
  // Of a bounded one each run is judged by the bound.
  if (implementation.is_bounded) return report;
  if (runs.first) add("two runs", runs.first_case, *runs.first, runs.different, runs.compared);
  const Invariance& batch = judged.invariance;
  if (batch.first) {
    add(batch.first_variant, batch.first_case, *batch.first, batch.different_rows,
        batch.compared_rows);
  }
  return report;
}

// The op's kernels on a GPU, in the order of their names.
std::vector<Implementation> CudaImplementations(const OpSpec& op) {
  const kernels::DeviceLibrary& library = CudaLibrary();
  std::map<std::string, Implementation> by_name;
  for (size_t i = 0; i < library.count; ++i) {
    const kernels::DeviceKernel& kernel = library.kernels[i];
    if (op.name != kernel.op) continue;
    Implementation& one = by_name[kernel.algorithm];
    one.name = std::string("kernels/") + kernel.algorithm;
    one.functions[kernel.recipe] = kernel.function;
    one.device_seconds = library.seconds_of_last_call;
    one.is_bounded = kernel.why_not != nullptr;
    if (const char* why = one.is_bounded ? kernel.why_not() : nullptr; why != nullptr) {
      one.why_not = why;
    }
  }
  std::vector<Implementation> all;
  for (auto& [name, implementation] : by_name) all.push_back(std::move(implementation));
  return all;
}

// What is judged on the device, but for the reference.
std::vector<Implementation> CandidatesOn(const std::string& device, const OpSpec& op) {
  if (device == "cuda") return CudaImplementations(op);
  std::vector<Implementation> all;
  for (size_t i = 1; i < op.implementations.size(); ++i) {
    const Implementation& one = op.implementations[i];
    if (one.name.starts_with("kernels/") == (device == "simt")) all.push_back(one);
  }
  return all;
}

// A worked example, exactly.
void VerifyExample(const OpSpec& op, const WorkedExample& example, OpReport* report) {
  Case c{&op, example.recipe, "example", op.sizes, op.attributes, 1};
  for (const auto& [letter, size] : example.sizes) c.sizes[letter] = size;
  for (const auto& [name, value] : example.attributes) c.attributes.at(name) = value;
  if (op.derive) op.derive(&c.sizes);
  const auto filled = [&](const Argument& argument, const std::vector<double>& values) {
    Tensor tensor(DtypeOf(c, argument), ShapeOf(c, argument));
    TOUCHSTONE_REQUIRE(static_cast<int64_t>(values.size()) == tensor.count());
    for (int64_t i = 0; i < tensor.count(); ++i) {
      const double value = values[static_cast<size_t>(i)];
      if (tensor.dtype == Dtype::kI64) {
        tensor.values<int64_t>()[i] = static_cast<int64_t>(value);
      } else {
        tensor.SetReal(i, static_cast<float>(value));
        TOUCHSTONE_REQUIRE(value != value || tensor.Real(i) == value);  // the text must be exact
      }
    }
    return tensor;
  };
  Tensors tensors;
  for (const Argument& argument : op.arguments) {
    Tensor tensor(DtypeOf(c, argument), ShapeOf(c, argument));
    if (argument.role == Role::kOut) {
      std::fill(tensor.data.begin(), tensor.data.end(), std::byte{0xff});
    } else {
      tensor = filled(argument, example.in.at(argument.name));
    }
    tensors.emplace(argument.name, std::move(tensor));
  }
  Run(c, &tensors, 1);
  CaseResult result;
  for (const auto& [name, values] : example.out) {
    const Argument& argument = op.argument(name);
    const Comparison bits =
        CompareBits(name, argument.dims, tensors.at(name), filled(argument, values));
    TOUCHSTONE_REQUIRE(bits.compared > 0);
    result.bits_compared += bits.compared;
    result.Note("worked example", c.Name(), bits);
  }
  report->bits_compared += result.bits_compared;
  report->failures.insert(report->failures.end(), result.failures.begin(), result.failures.end());
}

void Join(const std::vector<Case>& cases, const std::vector<CaseResult>& results,
          OpReport* report) {
  report->cases = static_cast<int64_t>(cases.size());
  for (size_t i = 0; i < cases.size(); ++i) {
    const CaseResult& result = results[i];
    report->bits_compared += result.bits_compared;
    report->failures.insert(report->failures.end(), result.failures.begin(), result.failures.end());
    for (const auto& [name, output] : result.outputs) {
      report->bound.Join(output);
      Strength& s = report->strength[fmt::format("{}/{}/{}", Name(cases[i].recipe),
                                                 cases[i].input_class, name)];
      s.Join(output);
    }
  }
  // A class of which nothing can be said shows nothing.
  for (const auto& [name, s] : report->strength) {
    if (s.compared > 0 || s.undecidable == 0) continue;
    report->failures.push_back({"bound",
                                name,
                                {"", "", "no element that can be judged", "at least one"},
                                s.undecidable,
                                0});
  }
}

// Runs work(case) on all cases on the threads, in any order, and keeps the results in order.
template <typename Work>
void RunCases(const std::vector<Case>& cases, int threads, OpReport* report, Work work) {
  std::vector<CaseResult> results(cases.size());
  const int64_t count = static_cast<int64_t>(cases.size());
  const int64_t workers = std::max<int64_t>(1, std::min<int64_t>(threads, count));
  // Whoever is free takes the next one: they differ a thousandfold in cost.
  std::atomic<int64_t> next{0};
  ParallelFor(workers, static_cast<int>(workers), [&](int64_t) {
    for (int64_t i = next++; i < count; i = next++) {
      const Case& c = cases[static_cast<size_t>(i)];
      CaseResult& result = results[static_cast<size_t>(i)];
      try {
        result = work(c);
      } catch (const std::exception& error) {
        // Every case is a valid input: whoever throws on it is wrong.
        result.failures.push_back({"threw", c.Name(), {"", "", error.what(), "a result"}, 1, 0});
      }
    }
  });
  Join(cases, results, report);
}

}  // namespace

std::string Word(Verdict verdict) {
  switch (verdict) {
    case Verdict::kBitExact:
      return "BIT-EXACT";
    case Verdict::kWithinBound:
      return "WITHIN BOUND";
    case Verdict::kFailed:
      return "FAILED";
    case Verdict::kUnderpowered:
      return "UNDERPOWERED";
    case Verdict::kCrashed:
      return "CRASHED";
    case Verdict::kTimedOut:
      return "TIMED OUT";
    case Verdict::kNotRun:
      return "NOT RUN";
  }
  return "FAILED";
}

void Strength::Join(const Comparison& output) {
  smallest_rejected = std::min(smallest_rejected, output.smallest_rejected);
  decided += output.decided;
  compared += output.compared;
  undecidable += output.undecidable;
}

double BluntestRejection(const std::map<std::string, Strength>& strength) {
  std::map<std::string, double> by_output;
  for (const auto& [name, s] : strength) {
    const auto [found, made] = by_output.try_emplace(name.substr(name.rfind('/') + 1), INFINITY);
    found->second = std::min(found->second, s.smallest_rejected);
  }
  double bluntest = 0.0;
  for (const auto& [name, rejected] : by_output) {
    if (std::isfinite(rejected)) bluntest = std::max(bluntest, rejected);
  }
  return bluntest > 0.0 ? bluntest : INFINITY;
}

std::vector<Case> ChosenCases(const OpSpec& op, const VerifyOptions& options) {
  if (!options.only_case.empty()) return {CaseFromName(op, options.only_case)};
  std::vector<Case> all = CasesOf(op, options.suite);
  if (!options.smallest) return all;
  const auto volume = [](const Case& c) {
    int64_t product = 1;
    for (const auto& [letter, size] : c.sizes) product *= size;
    return product;
  };
  std::map<std::string, Case> smallest;
  for (const Case& c : all) {
    const std::string key = fmt::format("{}/{}", Name(c.recipe), c.input_class);
    const auto [kept, first] = smallest.try_emplace(key, c);
    const int64_t here = volume(c), best = volume(kept->second);
    if (!first && here > 0 && (here < best || best == 0)) kept->second = c;
  }
  all.clear();
  for (auto& [key, c] : smallest) all.push_back(std::move(c));
  return all;
}

std::vector<OpReport> Verify(const VerifyOptions& options, const VerifyEvents& events) {
  std::vector<const OpSpec*> chosen;
  for (const std::string& name : options.ops) {
    const OpSpec* op = FindOp(name);
    if (op == nullptr)
      throw UsageError(fmt::format("no op or chain '{}' (`list` names them)", name));
    chosen.push_back(op);
  }
  if (chosen.empty()) chosen = AllOps();

  std::vector<OpReport> reports;
  for (const OpSpec* op : chosen) {
    using Clock = std::chrono::steady_clock;
    const auto finish = [&](OpReport report, Clock::time_point begin, bool bits) {
      report.seconds = std::chrono::duration<double>(Clock::now() - begin).count();
      const bool compared = report.bound.compared > 0;
      report.verdict = !report.failures.empty() || !compared ? Verdict::kFailed
                       : bits                                ? Verdict::kBitExact
                                                             : Verdict::kWithinBound;
      if (report.failures.size() > kShownFailures) report.failures.resize(kShownFailures);
      reports.push_back(report);
      events.done(report);
    };

    auto begin = Clock::now();
    events.progress(op->name);
    const std::vector<Implementation> candidates = CandidatesOn(options.device, *op);
    const auto not_run = [&](const std::string& name, const std::string& reason) {
      reports.push_back(
          {.op = op->name, .implementation = name, .verdict = Verdict::kNotRun, .reason = reason});
      events.done(reports.back());
    };
    const auto judge_candidates = [&] {
      for (const Implementation& implementation : candidates) {
        begin = Clock::now();
        events.progress(op->name + " " + implementation.name);
        if (!implementation.why_not.empty()) {
          not_run(implementation.name, implementation.why_not);
          continue;
        }
        finish(VerifyImplementation(*op, implementation, options), begin,
               !implementation.is_bounded);
      }
    };
    if (options.device != "cpu") {
      judge_candidates();
      if (candidates.empty()) not_run("kernels", "the op has no kernel");
      if (options.device == "simt") {
        for (const std::string& name : op->only_on_gpu) {
          not_run(name, "cuBLAS computes on a GPU alone: --device cuda");
        }
      }
      continue;
    }
    const std::vector<Case> cases = ChosenCases(*op, options);
    // A case from outside the list has nothing frozen.
    const bool with_golden = options.golden && options.only_case.empty();
    const Frozen frozen = with_golden ? ReadFrozen(*op) : Frozen{};
    OpReport report{.op = op->name, .implementation = "reference"};
    if (with_golden && !frozen.found) {
      report.failures.push_back(
          {"golden", "", {"", "", "no " + GoldenFile(op->name), "the file"}, 1, 0});
    }
    if (options.only_case.empty()) {
      for (const WorkedExample& example : op->examples) {
        try {
          VerifyExample(*op, example, &report);
        } catch (const std::exception& error) {
          report.failures.push_back(
              {"worked example", "", {"", "", error.what(), "a result"}, 1, 0});
        }
      }
    }
    RunCases(cases, options.threads, &report,
             [&](const Case& c) { return VerifyReference(c, frozen.found ? &frozen : nullptr); });
    finish(report, begin, with_golden);

    judge_candidates();
  }
  return reports;
}

int ExitCodeOf(const std::vector<OpReport>& reports, bool exact) {
  const auto any = [&](Verdict verdict) {
    return std::any_of(reports.begin(), reports.end(),
                       [&](const OpReport& report) { return report.verdict == verdict; });
  };
  if (any(Verdict::kFailed) || (exact && any(Verdict::kWithinBound))) return kFailed;
  return any(Verdict::kBitExact) || any(Verdict::kWithinBound) ? kPassed : kNotRun;
}

}  // namespace touchstone::lab
