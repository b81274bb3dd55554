// The reports of kernels as JSON and as JUnit's XML.
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "lab/errors.h"
#include "lab/kernel/kernel_report.h"
#include "lab/report.h"
#include "lab/shown_text.h"
#include "reference/formats/contract_version.h"

namespace touchstone::lab {
namespace {

using nlohmann::ordered_json;

ordered_json Names(const std::vector<Dtype>& recipes) {
  ordered_json names = ordered_json::array();
  for (const Dtype recipe : recipes) names.push_back(Name(recipe));
  return names;
}

ordered_json Of(const Difference& difference) {
  return {{"tensor", difference.tensor},
          {"at", difference.at},
          {"got", difference.got},
          {"expected", difference.wanted}};
}

std::string Word(DecoyFate fate) {
  return fate == DecoyFate::kRejected ? "rejected"
         : fate == DecoyFate::kPassed ? "passed"
         : fate == DecoyFate::kWithin ? "within bound"
         : fate == DecoyFate::kNotRun ? "not run"
                                      : "same bits";
}

std::string Word(PlaceUsed used) {
  return used == PlaceUsed::kYes      ? "yes"
         : used == PlaceUsed::kNo     ? "no"
         : used == PlaceUsed::kEither ? "either"
                                      : "neither";
}

ordered_json Cases(const KernelReport& report) {
  ordered_json cases = ordered_json::array();
  for (const CaseReport& one : report.cases) {
    Comparison bound;
    for (const auto& [name, output] : one.outputs) bound.Join(output);
    ordered_json row = {{"case", one.name}, {"verdict", Word(one.verdict)}};
    if (!one.file.empty()) row["file"] = one.file;
    if (!one.reason.empty()) row["reason"] = one.reason;
    row.update({{"elements", bound.compared},
                {"undecidable", bound.undecidable},
                {"outside", bound.outside},
                {"largest_ratio", bound.largest_ratio},
                {"bits_compared", one.bits_compared},
                {"bits_different", one.bits_different},
                {"seconds", one.seconds}});
    if (one.bits) row["first_different"] = Of(one.bits->difference);
    cases.push_back(std::move(row));
  }
  return cases;
}

ordered_json Failures(const KernelReport& report) {
  ordered_json failures = ordered_json::array();
  for (const CaseReport& one : report.cases) {
    for (const Failure& failure : one.failures) {
      ordered_json row = {{"what", failure.what}, {"case", one.name}};
      row.update(Of(failure.difference));
      row["outside"] = failure.outside;
      row["compared"] = failure.compared;
      row["repeat"] = report.RepeatOf(one);
      if (one.diagnosis) {
        ordered_json ulps = ordered_json::object();
        for (const UlpBin& bin : one.diagnosis->histogram) ulps[bin.label] = bin.elements;
        row["ulps"] = std::move(ulps);
        row["pattern"] = one.diagnosis->pattern;
        row["causes"] = one.diagnosis->causes;
      }
      failures.push_back(std::move(row));
    }
  }
  return failures;
}

ordered_json Repeats(const Determinism& runs) {
  ordered_json row = {
      {"cases", runs.cases}, {"elements", runs.compared}, {"different", runs.different}};
  if (runs.first) row.update({{"case", runs.first_case}, {"first", Of(*runs.first)}});
  return row;
}

ordered_json Company(const Invariance& batch) {
  ordered_json row = ordered_json::object();
  if (!batch.untested.empty()) row["untested"] = batch.untested;
  row.update({{"rows", batch.rows == 0 ? "" : std::string(1, batch.rows)},
              {"rows_compared", batch.compared_rows},
              {"rows_different", batch.different_rows},
              {"variants", batch.variants},
              {"variants_refused", batch.refused}});
  if (batch.first) {
    row.update({{"case", batch.first_case},
                {"variant", batch.first_variant},
                {"first", Of(*batch.first)}});
  }
  return row;
}

ordered_json Decoys(const KernelReport& report) {
  ordered_json row = ordered_json::object();
  if (!report.decoys_untried.empty()) row["untried"] = report.decoys_untried;
  ordered_json list = ordered_json::array();
  for (const DecoyResult& decoy : report.decoys) {
    list.push_back({{"name", decoy.name},
                    {"meaning", decoy.meaning},
                    {"fate", Word(decoy.fate)},
                    {"case", decoy.by}});
  }
  row["list"] = std::move(list);
  return row;
}

ordered_json JsonOf(const KernelReport& report) {
  const Comparison& bound = report.bound;
  ordered_json row = {
      {"op", report.op}, {"implementation", report.info.origin}, {"verdict", Word(report.verdict)}};
  if (!report.reason.empty()) row["reason"] = report.reason;
  row["exit_code"] = ExitCodeOf(report);
  row["kernel"] = {{"name", report.info.name},
                   {"origin", report.info.origin},
                   {"device", report.info.device},
                   {"recipes", Names(report.info.recipes)},
                   {"left_out", Names(report.left_out)}};
  row["held_to"] = {{"contract", Name(report.contract)},
                    {"profile", report.profile},
                    {"widened", report.widened}};
  row.update({{"cases", report.Ran()},
              {"cases_not_run", report.Count(Verdict::kNotRun)},
              {"cases_given", report.given},
              {"cases_kept", report.kept},
              {"elements", bound.compared},
              {"undecidable", bound.undecidable},
              {"outside", bound.outside},
              {"largest_ratio", bound.largest_ratio},
              {"decided", Share(bound.decided, bound.compared)},
              {"smallest_rejected", report.smallest_rejected},
              {"bits_compared", report.bits_compared},
              {"bits_different", report.bits_different},
              {"seconds", report.seconds},
              {"kernel_seconds", report.kernel_seconds},
              {"repeat", report.command}});
  ordered_json classes = ordered_json::object();
  for (const auto& [name, strength] : report.strength) {
    classes[name] = {{"smallest_rejected", strength.smallest_rejected},
                     {"decided", Share(strength.decided, strength.compared)},
                     {"elements", strength.compared},
                     {"undecidable", strength.undecidable}};
  }
  row["classes"] = std::move(classes);
  row["case_results"] = Cases(report);
  row["failures"] = Failures(report);
  if (!report.search.empty() && !row["failures"].empty()) row["search"] = report.search;
  const std::vector<std::string> none;
  row["profiles"] = {{"tried", report.profiles_tried},
                     {"cases", report.profile_cases},
                     {"equal_bits", report.profiles.but_for_zeros ? none : report.profiles.names},
                     {"equal_but_for_signs_of_zeros",
                      report.profiles.but_for_zeros ? report.profiles.names : none}};
  ordered_json places = ordered_json::object();
  for (const PlaceUse& use : report.places) places[use.place] = Word(use.used);
  row["places"] = std::move(places);
  row["determinism"] = Repeats(report.determinism);
  row["batch_invariance"] = Company(report.invariance);
  row["decoys"] = Decoys(report);
  return row;
}

std::string Told(const CaseReport& one) {
  std::string text = one.reason;
  std::vector<Failure> failures = one.failures;
  if (failures.empty() && one.bits) failures.push_back(*one.bits);
  for (const Failure& failure : failures) {
    const Difference& d = failure.difference;
    if (!text.empty()) text += "; ";
    text += d.tensor.empty()
                ? fmt::format("{}: {}", failure.what, d.got)
                : fmt::format("{}: {}[{}]: got {}, expected {}; {} of {} elements", failure.what,
                              d.tensor, d.at, d.got, d.wanted, failure.outside, failure.compared);
  }
  return text;
}

// A test case's element inside: nothing where it passed.
std::string TestCaseOutcome(Verdict verdict, bool passed, const std::string& text) {
  if (verdict == Verdict::kNotRun) {
    return fmt::format("<skipped message=\"{}\"/>", EscapedText(text));
  }
  if (passed) return "";
  const bool error = verdict == Verdict::kCrashed || verdict == Verdict::kTimedOut;
  return fmt::format("<{0} message=\"{1}\">{2}</{0}>", error ? "error" : "failure", Word(verdict),
                     EscapedText(text));
}

}  // namespace

std::string KernelJson(const std::vector<KernelReport>& reports) {
  ordered_json rows = ordered_json::array();
  for (const KernelReport& report : reports) rows.push_back(JsonOf(report));
  const ordered_json all = {{"format", 1}, {"contract", kContractVersion}, {"reports", rows}};
  // A kernel's text may be anything, valid UTF-8 or not.
  return all.dump(2, ' ', true, ordered_json::error_handler_t::replace) + "\n";
}

std::string KernelJUnit(const std::vector<KernelReport>& reports) {
  int64_t tests = 0, failures = 0, errors = 0, skipped = 0;
  std::string cases;
  const auto add = [&](const KernelReport& report, const std::string& name, double seconds,
                       const std::string& outcome) {
    ++tests;
    failures += outcome.starts_with("<failure") ? 1 : 0;
    errors += outcome.starts_with("<error") ? 1 : 0;
    skipped += outcome.starts_with("<skipped") ? 1 : 0;
    cases +=
        fmt::format("  <testcase classname=\"{} {}\" name=\"{}\" time=\"{:.3f}\">{}</testcase>\n",
                    EscapedText(report.op), EscapedText(report.info.origin), EscapedText(name),
                    seconds, outcome);
  };
  for (const KernelReport& report : reports) {
    for (const CaseReport& one : report.cases) {
      add(report, one.name, one.seconds,
          TestCaseOutcome(one.verdict, !report.Fails(one), Told(one)));
    }
    // What no single case says: an underpowered suite, nothing that ran.
    add(report, "verdict", report.seconds,
        TestCaseOutcome(report.verdict, ExitCodeOf(report) == kPassed, report.reason));
  }
  return fmt::format(
      "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuite name=\"touchstone verify\" "
      "tests=\"{}\" failures=\"{}\" errors=\"{}\" skipped=\"{}\">\n{}</testsuite>\n",
      tests, failures, errors, skipped, cases);
}

}  // namespace touchstone::lab
