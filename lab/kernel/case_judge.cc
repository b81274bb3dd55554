#include "lab/kernel/case_judge.h"

#include <algorithm>
#include <cstddef>
#include <utility>

#include "lab/diagnosis/profile_outputs.h"

namespace touchstone::lab {
namespace {

constexpr std::byte kNanPoison{0xff}, kFinitePoison{0x5a};  // Poison::kNan, Poison::kFinite

void Note(const std::string& what, const CaseReport& report, const Comparison& comparison,
          std::vector<Failure>* failures) {
  if (comparison.outside == 0 || !comparison.first) return;
  failures->push_back(
      {what, report.name, *comparison.first, comparison.outside, comparison.compared});
}

// Elements of an output that hold run 1's poison after run 1 and run 2's after run 2.
std::vector<int64_t> Unwritten(const Tensor& first, const Tensor& second) {
  const int64_t bytes = static_cast<int64_t>(ElementBytes(first.dtype));
  const auto holds = [bytes](const Tensor& tensor, int64_t i, std::byte poison) {
    const auto begin = tensor.data.begin() + i * bytes;
    return std::all_of(begin, begin + bytes, [poison](std::byte byte) { return byte == poison; });
  };
  std::vector<int64_t> elements;
  for (int64_t i = 0; i < first.count(); ++i) {
    if (holds(first, i, kNanPoison) && holds(second, i, kFinitePoison)) elements.push_back(i);
  }
  return elements;
}

// The verdict of a case by what its report holds.
Verdict VerdictOf(const CaseReport& report) {
  if (!report.failures.empty()) return Verdict::kFailed;
  return report.bits_different == 0 ? Verdict::kBitExact : Verdict::kWithinBound;
}

}  // namespace

Tensors RightOutputs(const Case& c, const Tensors& inputs, const Yardstick& yardstick) {
  if (yardstick.contract == Contract::kProfile) {
    return ProfileOutputs(c, inputs, yardstick.profile);
  }
  Tensors right = inputs;
  for (const Argument& argument : c.op->arguments) {
    if (argument.role == Role::kOut) {
      right.insert_or_assign(argument.name, Tensor(DtypeOf(c, argument), ShapeOf(c, argument)));
    }
  }
  Run(c, &right, 1);
  return right;
}

bool OutputsAreWhole(const Case& c, const RunResult& run, CaseReport* report) {
  bool whole = true;
  for (const Argument& argument : c.op->arguments) {
    if (argument.role == Role::kIn) continue;
    const Tensor wanted(DtypeOf(c, argument), ShapeOf(c, argument));
    const auto found = run.outputs.find(argument.name);
    if (found == run.outputs.end()) {
      report->failures.push_back(
          {"output", report->name, {argument.name, "", "no such output", "one"}, 1, 0});
      whole = false;
    } else if (found->second.dtype != wanted.dtype || found->second.shape != wanted.shape ||
               found->second.data.size() != wanted.data.size()) {
      Note("output", *report, CompareBits(argument.name, argument.dims, found->second, wanted),
           &report->failures);
      whole = false;
    }
  }
  return whole;
}

Comparison CompareRuns(const Case& c, const Tensors& first, const Tensors& second) {
  Comparison all;
  for (const Argument& argument : c.op->arguments) {
    if (argument.role == Role::kIn) continue;
    const Tensor& a = first.at(argument.name);
    Tensor b = second.at(argument.name);
    // What nobody wrote holds other poison; that is a failure of its own.
    if (argument.role == Role::kOut) {
      const int64_t bytes = static_cast<int64_t>(ElementBytes(a.dtype));
      for (const int64_t i : Unwritten(a, b)) {
        std::copy_n(a.data.begin() + i * bytes, bytes, b.data.begin() + i * bytes);
      }
    }
    all.Join(CompareBits(argument.name, argument.dims, b, a));
  }
  return all;
}

void JudgeOutputs(const Case& c, const Tensors& inputs, const Tensors& right, const RunResult& run,
                  const RunResult* second, const Yardstick& yardstick, CaseReport* report) {
  // What was not written comes before what is wrong: it is why.
  for (const Argument& argument : c.op->arguments) {
    if (argument.role != Role::kOut || second == nullptr) continue;
    const Tensor& got = run.outputs.at(argument.name);
    const std::vector<int64_t> unwritten = Unwritten(got, second->outputs.at(argument.name));
    if (unwritten.empty()) continue;
    report->failures.push_back(
        {"never written",
         report->name,
         {argument.name, Coordinates(argument.dims, got.shape, unwritten.front()),
          "what was there before the run", "a value"},
         static_cast<int64_t>(unwritten.size()),
         got.count()});
  }
  const bool profile = yardstick.contract == Contract::kProfile;
  for (const Argument& argument : c.op->arguments) {
    if (argument.role == Role::kIn) continue;
    const Comparison bits = CompareBits(argument.name, argument.dims, run.outputs.at(argument.name),
                                        right.at(argument.name));
    report->bits_compared += bits.compared;
    report->bits_different += bits.outside;
    if (profile) Note("profile", *report, bits, &report->failures);
    if (!profile && !report->bits && bits.first) {
      report->bits = {"bits", report->name, *bits.first, bits.outside, bits.compared};
    }
  }
  if (!profile) {
    report->outputs = CompareOutputs(
        c, run.outputs,
        Enclose(c, inputs, AllPlaces(*c.op, exact::Place::kHull), yardstick.allowance));
    for (const auto& [name, output] : report->outputs) {
      Note("bound", *report, output, &report->failures);
    }
  }
  report->verdict = VerdictOf(*report);
}

void JudgeInCompany(const std::string& what, const Case& c, const Tensors& inputs,
                    const Tensors& outputs, const Yardstick& yardstick, CaseReport* report) {
  const Tensors right = RightOutputs(c, inputs, yardstick);
  const bool profile = yardstick.contract == Contract::kProfile;
  const auto there = [&](Comparison comparison) {
    if (comparison.first) comparison.first->at += ", " + what;
    return comparison;
  };
  for (const Argument& argument : c.op->arguments) {
    if (argument.role == Role::kIn) continue;
    const Comparison bits = there(CompareBits(argument.name, argument.dims,
                                              outputs.at(argument.name), right.at(argument.name)));
    report->bits_compared += bits.compared;
    report->bits_different += bits.outside;
    if (profile) Note("profile", *report, bits, &report->failures);
    if (!profile && !report->bits && bits.first) {
      report->bits = {"bits", report->name, *bits.first, bits.outside, bits.compared};
    }
  }
  if (!profile) {
    const Expected expected =
        Enclose(c, inputs, AllPlaces(*c.op, exact::Place::kHull), yardstick.allowance);
    for (const auto& [name, output] : CompareOutputs(c, outputs, expected)) {
      Note("bound", *report, there(output), &report->failures);
    }
  }
  report->verdict = VerdictOf(*report);
}

}  // namespace touchstone::lab
