#include "lab/report.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cmath>
#include <cstdio>
#include <fstream>
#include <nlohmann/json.hpp>
#include <stdexcept>

#include "golden/pending_file.h"
#include "lab/shown_text.h"
#include "reference/formats/contract_version.h"

namespace touchstone::lab {
namespace {

bool IsReference(const OpReport& report) { return report.implementation == "reference"; }
// The others are held to bits.
bool IsBounded(const OpReport& report) { return !report.strength.empty(); }

std::string LabelOf(const OpReport& report) {
  return IsReference(report) ? report.op : fmt::format("  {}", report.implementation);
}

std::string Describe(const OpReport& report, const Failure& failure) {
  const Difference& d = failure.difference;
  std::string text = fmt::format("{}: {}", failure.what, failure.case_name);
  if (!d.tensor.empty()) text += fmt::format(", {}[{}]", d.tensor, d.at);
  text += fmt::format(": got {}, expected {}", d.got, d.wanted);
  if (failure.compared > 0)
    text += fmt::format("; {} of {} differ", failure.outside, failure.compared);
  if (!failure.case_name.empty() && failure.what == "bound") {
    text += fmt::format("\n    ./touchstone verify {} --case {}", report.op, failure.case_name);
  }
  return text;
}

}  // namespace

std::string PowerOfTwo(double x) {
  if (x == 0.0) return "0";
  return std::isfinite(x) ? fmt::format("2^{:.2f}", std::log2(x)) : "none";
}

double Share(int64_t part, int64_t all) {
  return all == 0 ? 0.0 : static_cast<double>(part) / static_cast<double>(all);
}

std::string Percent(double share) {
  return share == 1.0 ? "100 %" : fmt::format("{:.1f} %", std::floor(share * 1000.0) / 10.0);
}

std::string TableHead() {
  return fmt::format("{:<22} {:<12} {:>6} {:>9} {:>7} {:>8} {:>9} {:>8}\n", "op", "verdict",
                     "cases", "elements", "ratio", "decided", "rejects", "seconds");
}

std::string TableLine(const OpReport& report) {
  std::string line = fmt::format("{:<22} {:<12} ", LabelOf(report), Word(report.verdict));
  if (report.verdict == Verdict::kNotRun) {
    line += report.reason + "\n";
  } else {
    const Comparison& bound = report.bound;
    line += fmt::format("{:>6} {:>9} ", report.cases, bound.compared);
    if (IsBounded(report)) {
      line += fmt::format("{:>7.3f} {:>8} {:>9} ", bound.largest_ratio,
                          Percent(Share(bound.decided, bound.compared)),
                          PowerOfTwo(BluntestRejection(report.strength)));
    } else {
      line += fmt::format("{:>7} {:>8} {:>9} ", "-", "-", "-");
    }
    line += fmt::format("{:>8.2f}", report.seconds);
    if (!report.unproven.empty()) {
      line += fmt::format("  UNPROVEN {}", fmt::join(report.unproven, ", "));
    }
    line += "\n";
  }
  for (const Failure& failure : report.failures) {
    line += fmt::format("  FAILED {}\n", Describe(report, failure));
  }
  return line;
}

std::string TableFoot(const std::vector<OpReport>& reports, double seconds) {
  int64_t passed = 0, failed = 0, not_run = 0, cases = 0, elements = 0, bits = 0, undecidable = 0;
  for (const OpReport& report : reports) {
    passed +=
        report.verdict == Verdict::kBitExact || report.verdict == Verdict::kWithinBound ? 1 : 0;
    failed += report.verdict == Verdict::kFailed ? 1 : 0;
    not_run += report.verdict == Verdict::kNotRun ? 1 : 0;
    cases += report.cases;
    elements += IsReference(report) ? report.bound.compared : 0;
    undecidable += IsReference(report) ? report.bound.undecidable : 0;
    bits += report.bits_compared;
  }
  return fmt::format(
      "\n{} elements of {} cases within the bound of the second reference ({} more undecidable), "
      "{} equal "
      "in every bit to\nwhat is frozen or redone; contract version {}; {:.1f} s\n{} passed, {} "
      "failed, {} not run\n",
      elements, cases, undecidable, bits, kContractVersion, seconds, passed, failed, not_run);
}

std::string Json(const std::vector<OpReport>& reports) {
  using nlohmann::ordered_json;
  ordered_json rows = ordered_json::array();
  for (const OpReport& report : reports) {
    const Comparison& bound = report.bound;
    ordered_json row = {{"op", report.op},
                        {"implementation", report.implementation},
                        {"verdict", Word(report.verdict)},
                        {"cases", report.cases},
                        {"elements", bound.compared},
                        {"undecidable", bound.undecidable},
                        {"outside", bound.outside},
                        {"largest_ratio", bound.largest_ratio},
                        {"decided", Share(bound.decided, bound.compared)},
                        {"smallest_rejected", BluntestRejection(report.strength)},
                        {"bits_compared", report.bits_compared},
                        {"seconds", report.seconds}};
    if (report.device_seconds > 0.0) row["device_seconds"] = report.device_seconds;
    if (!report.reason.empty()) row["reason"] = report.reason;
    if (!report.unproven.empty()) row["unproven"] = report.unproven;
    ordered_json classes = ordered_json::object();
    for (const auto& [name, strength] : report.strength) {
      classes[name] = {{"smallest_rejected", strength.smallest_rejected},
                       {"decided", Share(strength.decided, strength.compared)},
                       {"elements", strength.compared},
                       {"undecidable", strength.undecidable}};
    }
    row["classes"] = std::move(classes);
    ordered_json failures = ordered_json::array();
    for (const Failure& failure : report.failures) {
      failures.push_back({{"what", failure.what},
                          {"case", failure.case_name},
                          {"tensor", failure.difference.tensor},
                          {"at", failure.difference.at},
                          {"got", failure.difference.got},
                          {"expected", failure.difference.wanted},
                          {"outside", failure.outside},
                          {"compared", failure.compared}});
    }
    row["failures"] = std::move(failures);
    rows.push_back(std::move(row));
  }
  const ordered_json report = {{"format", 1}, {"contract", kContractVersion}, {"reports", rows}};
  return report.dump(2) + "\n";
}

std::string JUnit(const std::vector<OpReport>& reports) {
  int64_t failures = 0, skipped = 0;
  std::string cases;
  for (const OpReport& report : reports) {
    cases +=
        fmt::format("  <testcase classname=\"{}\" name=\"{}\" time=\"{:.3f}\">",
                    EscapedText(report.op), EscapedText(report.implementation), report.seconds);
    if (report.verdict == Verdict::kNotRun) {
      ++skipped;
      cases += fmt::format("<skipped message=\"{}\"/>", EscapedText(report.reason));
    } else if (report.verdict == Verdict::kFailed) {
      ++failures;
      std::string text;
      for (const Failure& failure : report.failures) text += Describe(report, failure) + "\n";
      cases += fmt::format("<failure message=\"FAILED\">{}</failure>", EscapedText(text));
    }
    cases += "</testcase>\n";
  }
  return fmt::format(
      "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuite name=\"touchstone verify\" "
      "tests=\"{}\" "
      "failures=\"{}\" skipped=\"{}\">\n{}</testsuite>\n",
      reports.size(), failures, skipped, cases);
}

void WriteTextFile(const std::string& path, const std::string& text) {
  try {
    golden::PendingFile pending(path);
    std::ofstream file(pending.temporary(), std::ios::binary);
    file << text;
    file.close();
    if (!file) throw std::runtime_error("the disk is full or failed");
    pending.Commit();
  } catch (const std::runtime_error& error) {
    throw std::runtime_error(fmt::format("cannot write {}: {}", path, error.what()));
  }
}

}  // namespace touchstone::lab
