// Every kernel on every small case of its op, under the schedules that are asked for, in this
// process: whoever changes one kernel wants one answer soon.
//
//   every_case [--op OP] [--kernel ALGORITHM] [--schedules forward,reverse,random:7]
//              [--landing early|late|random] [--part 1/2] [--first] [--list]
//              [--planted]   race build: a kernel with a race after each; every run has to fail
//
// A line a failure, and at the end "N kernels, M runs, K failures". Exit 0: all bits are the
// reference's; 1: a failure, or nothing ran; 2: usage.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <charconv>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "kernels/simt/execution_model.h"
#include "kernels/simt/race.h"
#include "lab/chain.h"
#include "lab/errors.h"
#include "lab/input_class.h"
#include "lab/kernel/built_in_kernel.h"
#include "lab/spec.h"
#include "tests/simt/kernel_run.h"
#ifdef TOUCHSTONE_SIMT_RACE
#include "tests/simt/planted/planted.h"
#endif

namespace touchstone::lab {
namespace {

struct Schedule {
  std::string name;
  simt::Policy policy;
};

struct Options {
  std::string op, kernel;
  std::vector<Schedule> schedules;
  bool first = false, list = false, planted = false;
  size_t part = 1, parts = 1;
};

struct Totals {
  int64_t kernels = 0, runs = 0, failures = 0;
};

std::optional<simt::CopyLanding> LandingOf(const std::string& name) {
  if (name == "early") return simt::CopyLanding::kEarly;
  if (name == "late") return simt::CopyLanding::kLate;
  if (name == "random") return simt::CopyLanding::kRandom;
  return std::nullopt;
}

Schedule ScheduleOf(const std::string& name, std::optional<simt::CopyLanding> landing) {
  using simt::CopyLanding, simt::Order;
  if (name == "forward") return {name, {Order::kForward, landing.value_or(CopyLanding::kLate)}};
  if (name == "reverse") return {name, {Order::kReverse, landing.value_or(CopyLanding::kEarly)}};
  const std::string random = "random:";
  uint64_t seed = 0;
  const char* const end = name.data() + name.size();
  const bool is_random = name.starts_with(random);
  if (!is_random || std::from_chars(name.data() + random.size(), end, seed).ptr != end ||
      name.size() == random.size()) {
    throw UsageError(
        fmt::format("no schedule '{}'; expected forward, reverse or random:SEED", name));
  }
  return {name, {Order::kRandom, landing.value_or(CopyLanding::kRandom), seed}};
}

// "1/2": every second case, for two processes at a time.
void ReadPart(const std::string& text, Options* options) {
  const char* const end = text.data() + text.size();
  const auto part = std::from_chars(text.data(), end, options->part);
  const bool slash = part.ec == std::errc() && part.ptr != end && *part.ptr == '/';
  const auto parts = std::from_chars(slash ? part.ptr + 1 : end, end, options->parts);
  if (parts.ec != std::errc() || parts.ptr != end || options->part < 1 ||
      options->part > options->parts) {
    throw UsageError(fmt::format("no part '{}'; expected 1/2 or 2/2, say", text));
  }
}

struct WatchedCase {
  const char* op;
  const char* name;  // after the recipe
};

// Cases whose bits say nothing that others do not, and whose accesses do: a query without keys next
// to queries whose first key lies so far back in its block that the scores before it are not
// computed.
constexpr WatchedCase kWatched[] = {{"attention", "far/S310_chunk=300"}};

std::vector<Case> SmallCases(const OpSpec& op) {
  std::vector<Case> cases = CasesOf(op);
  for (const WatchedCase& one : kWatched) {
    if (op.name != one.op) continue;
    for (const Dtype recipe : op.recipes) {
      cases.push_back(CaseFromName(op, fmt::format("{}/{}", Name(recipe), one.name)));
    }
  }
  return SmallOf(std::move(cases));
}

// The kernels of the op that are asked for.
std::vector<const Implementation*> KernelsOf(const OpSpec& op, const Options& options) {
  std::vector<const Implementation*> kernels;
  if (!options.op.empty() && options.op != op.name) return kernels;
  for (const Implementation& one : op.implementations) {
    const bool asked = options.kernel.empty() || one.name == "kernels/" + options.kernel;
    if (one.name.starts_with("kernels/") && asked) kernels.push_back(&one);
  }
  return kernels;
}

// A tensor is device memory while a kernel runs: the race build knows what it holds.
class OnDevice {
 public:
  OnDevice(const OpSpec& op, const Tensors& tensors) : tensors_(tensors) {
    for (const Argument& argument : op.arguments) {
      const Tensor& tensor = tensors.at(argument.name);
      if (tensor.data.empty()) continue;
      simt::race::OnAllocate(tensor.data.data(), tensor.data.size());
      if (argument.role == Role::kOut) continue;
      simt::race::OnHostWrite(tensor.data.data(), tensor.data.size());
    }
  }
  ~OnDevice() {
    for (const auto& [name, tensor] : tensors_) {
      if (!tensor.data.empty()) simt::race::OnFree(tensor.data.data());
    }
  }
  OnDevice(const OnDevice&) = delete;
  OnDevice& operator=(const OnDevice&) = delete;

 private:
  const Tensors& tensors_;
};

// What is wrong with one run of a kernel, a line each.
std::vector<std::string> Run(const Case& c, const Implementation& kernel, const Tensors& inputs,
                             const Tensors& wanted, const Schedule& schedule, Poison poison,
                             [[maybe_unused]] bool planted) {
  std::vector<std::string> wrong;
  Tensors tensors = PoisonedTensors(c, inputs, poison);
  simt::CurrentPolicy() = schedule.policy;
  try {
    const OnDevice on_device(*c.op, tensors);
    lab::Run(c, kernel, &tensors, 1);
#ifdef TOUCHSTONE_SIMT_RACE
    if (planted) simt::planted::MissingSyncthreads(true);
#endif
  } catch (const std::exception& error) {
    wrong.emplace_back(error.what());
  }
  std::vector<std::string> races = simt::race::TakeFindings();
  const bool ended = wrong.empty();
  wrong.insert(wrong.end(), races.begin(), races.end());
  if (!ended) return wrong;
  const std::vector<std::string> tensors_wrong = WrongTensors(c, inputs, wanted, tensors);
  wrong.insert(wrong.end(), tensors_wrong.begin(), tensors_wrong.end());
  return wrong;
}

void RunOp(const OpSpec& op, const Options& options, Totals* totals) {
  const std::vector<const Implementation*> kernels = KernelsOf(op, options);
  if (kernels.empty()) return;
  totals->kernels += static_cast<int64_t>(kernels.size());
  std::set<const Implementation*> ended;  // with --first: those that have failed
  const std::vector<Case> cases = SmallCases(op);
  for (size_t i = options.part - 1; i < cases.size(); i += options.parts) {
    const Case& c = cases[i];
    if (options.list) {
      fmt::print("{} {} {} elements\n", op.name, c.Name(), ElementsOf(c));
      continue;
    }
    if (ended.size() == kernels.size()) return;
    const Tensors inputs = MakeTensors(c);
    Tensors wanted = inputs;
    lab::Run(c, &wanted, 1);
    for (const Implementation* kernel : kernels) {
      for (size_t k = 0; k < options.schedules.size() && !ended.contains(kernel); ++k) {
        const Schedule& schedule = options.schedules[k];
        // What is never written cannot equal both poisons.
        const Poison poison = k % 2 == 0 ? Poison::kNan : Poison::kFinite;
        ++totals->runs;
        for (const std::string& what :
             Run(c, *kernel, inputs, wanted, schedule, poison, options.planted)) {
          ++totals->failures;
          fmt::print("FAILED {} {} {} {}: {}\n", op.name,
                     kernel->name.substr(kernel->name.find('/') + 1), c.Name(), schedule.name,
                     what);
          if (options.first) ended.insert(kernel);
        }
        std::fflush(stdout);
      }
    }
  }
}

int EveryCase(int count, char** words) {
  CLI::App app{"Runs every kernel on every small case and compares bits with the reference."};
  Options options;
  std::string schedules = "forward,reverse,random:7", landing, part = "1/1";
  app.add_option("--op", options.op, "one op or chain (default: all)");
  app.add_option("--kernel", options.kernel, "one algorithm, a file's name without .cu");
  app.add_option("--schedules", schedules, "forward, reverse, random:SEED, with commas between");
  app.add_option("--landing", landing,
                 "of asynchronous copies, early, late or random; default: late with forward, early "
                 "with reverse, random with random")
      ->check(CLI::IsMember({"early", "late", "random"}));
  app.add_option("--part", part, "1/2: every second case, from the first; 2/2: the others");
  app.add_flag("--first", options.first, "a kernel ends with its first failed run");
  app.add_flag("--list", options.list, "only names the cases");
#ifdef TOUCHSTONE_SIMT_RACE
  app.add_flag("--planted", options.planted,
               "a kernel with a race after each: every run has to fail");
#endif
  try {
    app.parse(count, words);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? kPassed : kUsage;
  }
  ReadPart(part, &options);
  for (size_t begin = 0; begin <= schedules.size();) {
    const size_t end = std::min(schedules.find(',', begin), schedules.size());
    options.schedules.push_back(
        ScheduleOf(schedules.substr(begin, end - begin), LandingOf(landing)));
    begin = end + 1;
  }
  Totals totals;
  for (const OpSpec* op : AllOps()) RunOp(*op, options, &totals);
  if (totals.kernels == 0) {
    throw UsageError(fmt::format("no kernel{}{} (`touchstone list` names them)",
                                 options.kernel.empty() ? "" : " '" + options.kernel + "'",
                                 options.op.empty() ? "" : " of '" + options.op + "'"));
  }
  fmt::print("{} kernels, {} runs, {} failures\n", totals.kernels, totals.runs, totals.failures);
  return totals.failures == 0 && (totals.runs > 0 || options.list) ? kPassed : kFailed;
}

}  // namespace
}  // namespace touchstone::lab

int main(int count, char** words) {
  try {
    return touchstone::lab::EveryCase(count, words);
  } catch (const touchstone::lab::UsageError& error) {
    std::fprintf(stderr, "every_case: %s\n", error.what());
    return touchstone::lab::kUsage;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "every_case: %s\n", error.what());
    return touchstone::lab::kFailed;
  }
}
