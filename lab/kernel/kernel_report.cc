#include "lab/kernel/kernel_report.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <string_view>
#include <utility>

#include "lab/errors.h"
#include "lab/report.h"
#include "lab/shown_text.h"

namespace touchstone::lab {
namespace {

constexpr int64_t kInDetail = 3, kShown = 8;  // failed cases
constexpr int kPipedWidth = 100, kLeastWidth = 40;

// Labelled lines, broken at blanks to the width. Everything shown passes here.
class Lines {
 public:
  explicit Lines(int width) : width_(static_cast<size_t>(std::max(width, kLeastWidth))) {}

  void Blank() { text_ += '\n'; }
  void Raw(const std::string& line) { text_ += line + '\n'; }

  void Field(size_t indent, const std::string& label, const std::string& value) {
    const size_t label_width = indent == 4 ? 14 : 13;
    Wrap(fmt::format("{:{}}{:<{}}", "", indent, label, label_width), indent + label_width, value);
  }

  // After `line`; further lines begin at the column.
  void Wrap(std::string line, size_t column, const std::string& value) {
    const std::string shown = PrintableText(value);
    bool fresh = true;  // nothing of the value in this line yet
    for (size_t begin = 0; begin < shown.size();) {
      const size_t end = std::min(shown.find(' ', begin), shown.size());
      const std::string_view word = std::string_view(shown).substr(begin, end - begin);
      if (!fresh && line.size() + 1 + word.size() > width_) {
        Raw(line);
        line = std::string(column, ' ');
        fresh = true;
      }
      line += (fresh ? "" : " ");
      line += word;
      fresh = false;
      begin = end + 1;
    }
    Raw(line);
  }

  std::string Take() { return std::move(text_); }

 private:
  size_t width_;
  std::string text_;
};

std::string Colored(Verdict verdict, bool good, bool color) {
  if (!color) return Word(verdict);
  const int code = !good ? 31 : verdict == Verdict::kBitExact ? 32 : 33;
  return fmt::format("\033[1;{}m{}\033[0m", code, Word(verdict));
}

std::string Recipes(const std::vector<Dtype>& recipes) {
  std::vector<std::string> names;
  for (const Dtype recipe : recipes) names.emplace_back(Name(recipe));
  return fmt::format("{}", fmt::join(names, ", "));
}

std::string At(const Difference& difference) {
  return difference.at.empty() ? difference.tensor
                               : fmt::format("{}[{}]", difference.tensor, difference.at);
}

std::string CaseCounts(const KernelReport& report) {
  std::vector<std::string> parts;
  for (const Verdict word : {Verdict::kBitExact, Verdict::kWithinBound, Verdict::kFailed,
                             Verdict::kCrashed, Verdict::kTimedOut}) {
    if (report.Count(word) > 0) {
      parts.push_back(fmt::format("{} {}", report.Count(word), Word(word)));
    }
  }
  return fmt::format("{} ran{}{}{}", report.Ran(), parts.empty() ? "" : ": ",
                     fmt::join(parts, ", "),
                     report.kept > 0 ? fmt::format("; {} from golden/worst", report.kept) : "");
}

// The cases that were not run, by reason: how many, and the first.
void AddNotRun(const KernelReport& report, Lines* lines) {
  std::vector<std::string> reasons;
  for (const CaseReport& one : report.cases) {
    if (one.verdict != Verdict::kNotRun) continue;
    if (std::find(reasons.begin(), reasons.end(), one.reason) != reasons.end()) continue;
    reasons.push_back(one.reason);
    const auto same = [&](const CaseReport& other) {
      return other.verdict == Verdict::kNotRun && other.reason == one.reason;
    };
    const auto count = std::count_if(report.cases.begin(), report.cases.end(), same);
    lines->Field(2, reasons.size() == 1 ? "not run" : "",
                 fmt::format("{} {}, {}{}", count, count == 1 ? "case" : "cases", one.reason,
                             count == 1 ? ": " + one.name : "; the first is " + one.name));
    if (reasons.size() == static_cast<size_t>(kShown)) break;
  }
  if (!report.left_out.empty()) {
    lines->Field(2, "left out",
                 fmt::format("recipe {}: {}", Recipes(report.left_out), report.left_out_reason));
  }
}

// Whether some run gave other bits than the first of its case: then more was judged than that one.
bool OtherRunsDiffer(const KernelReport& report) {
  return report.determinism.different > 0 || report.invariance.different_rows > 0;
}

void AddStrength(const KernelReport& report, Lines* lines) {
  const Comparison& bound = report.bound;
  lines->Field(
      2, "elements",
      fmt::format(
          "{} compared; {} ({}) have the bits of {}", report.bits_compared,
          report.bits_compared - report.bits_different,
          Percent(Share(report.bits_compared - report.bits_different, report.bits_compared)),
          report.contract == Contract::kProfile ? "the profile" : "the reference"));
  if (report.contract == Contract::kProfile) return;
  lines->Field(
      2, "bound",
      fmt::format("{} of {} accepted{}, largest ratio {:.3f}; of {} more nothing can be said",
                  bound.compared - bound.outside, bound.compared,
                  OtherRunsDiffer(report) ? " in each case's first run" : "", bound.largest_ratio,
                  bound.undecidable));
  lines->Field(2, "strength",
               fmt::format("{} have one right value and no other; {}",
                           Percent(Share(bound.decided, bound.compared)),
                           std::isfinite(report.smallest_rejected)
                               ? fmt::format("a relative error of {} in one element is found",
                                             PowerOfTwo(report.smallest_rejected))
                               : std::string("no output has a relative error")));
}

void AddChoices(const KernelReport& report, Lines* lines) {
  if (report.profiles_tried) {
    lines->Field(2, "profile",
                 report.profiles.names.empty()
                     ? fmt::format("none of the declared ones gives these bits ({} cases tried)",
                                   report.profile_cases)
                     : fmt::format("equal bits{} under profile {} ({} cases tried)",
                                   report.profiles.but_for_zeros ? " but for signs of zeros" : "",
                                   fmt::join(report.profiles.names, " | "), report.profile_cases));
  }
  std::vector<std::string> kept, skipped, unknown, neither;
  for (const PlaceUse& use : report.places) {
    (use.used == PlaceUsed::kYes      ? kept
     : use.used == PlaceUsed::kNo     ? skipped
     : use.used == PlaceUsed::kEither ? unknown
                                      : neither)
        .push_back(use.place);
  }
  std::vector<std::string> said;
  if (!skipped.empty()) said.push_back(fmt::format("not at {}", fmt::join(skipped, ", ")));
  if (!kept.empty()) said.push_back(fmt::format("at {}", fmt::join(kept, ", ")));
  if (!unknown.empty()) said.push_back(fmt::format("{} cannot be told", fmt::join(unknown, ", ")));
  if (!neither.empty()) said.emplace_back("no setting of the inner places explains the outputs");
  if (!said.empty()) {
    lines->Field(2, "rounding", fmt::format("inside: {}", fmt::join(said, "; ")));
  }
}

void AddRepeats(const KernelReport& report, Lines* lines) {
  const Determinism& runs = report.determinism;
  if (runs.cases == 0) {
    lines->Field(2, "determinism",
                 report.info.runs_again ? "not tried: no case came to its end"
                                        : "not tried: this kernel cannot be run again");
  } else if (runs.different == 0) {
    lines->Field(
        2, "determinism",
        fmt::format("yes: {} cases twice, {}, equal in every bit", runs.cases,
                    report.info.device == kSimtDevice ? "threads and blocks forward and in reverse"
                                                      : "on 1 thread and on 3"));
  } else {
    lines->Field(2, "determinism",
                 fmt::format("NO: {} of {} elements differ between two runs, first in {}, {}: {}, "
                             "before it was {}",
                             runs.different, runs.compared, runs.first_case, At(*runs.first),
                             runs.first->got, runs.first->wanted));
  }
  const Invariance& batch = report.invariance;
  const std::string refused =
      batch.refused > 0 ? fmt::format("; {} variants refused", batch.refused) : "";
  if (!batch.untested.empty()) {
    lines->Field(2, "batch", "not tried: " + batch.untested + refused);
  } else if (batch.different_rows == 0) {
    lines->Field(2, "batch",
                 fmt::format("invariant: {} rows in {} variants give their bits again{}",
                             batch.compared_rows, batch.variants, refused));
  } else {
    lines->Field(2, "batch",
                 fmt::format("NOT invariant: {} of {} rows differ in other company, first in {}, "
                             "{}, {}: {}, by itself {}{}",
                             batch.different_rows, batch.compared_rows, batch.first_case,
                             batch.first_variant, At(*batch.first), batch.first->got,
                             batch.first->wanted, refused));
  }
}

void AddDecoys(const KernelReport& report, Lines* lines) {
  if (report.decoys.empty()) {
    lines->Field(2, "decoys",
                 "not tried: " + (report.decoys_untried.empty() ? "none can be made of this op"
                                                                : report.decoys_untried));
    return;
  }
  std::vector<std::string> within, passed, not_run;
  int64_t rejected = 0, faults = 0;
  for (const DecoyResult& decoy : report.decoys) {
    if (decoy.fate == DecoyFate::kSameBits) continue;
    if (decoy.fate == DecoyFate::kWithin) {
      within.push_back(decoy.name);
      continue;
    }
    if (decoy.fate == DecoyFate::kNotRun) {
      not_run.push_back(decoy.name);
      continue;
    }
    ++faults;
    rejected += decoy.fate == DecoyFate::kRejected ? 1 : 0;
    if (decoy.fate == DecoyFate::kPassed) passed.push_back(decoy.name);
  }
  lines->Field(2, "decoys", fmt::format("{} of {} planted faults rejected", rejected, faults));
  if (!passed.empty()) {
    lines->Field(2, "", fmt::format("passed: {}", fmt::join(passed, "; ")));
  }
  if (!not_run.empty()) {
    lines->Field(
        2, "", fmt::format("only cases that did not run would show: {}", fmt::join(not_run, "; ")));
  }
  if (!within.empty()) {
    lines->Field(2, "", fmt::format("only the exact contract sees: {}", fmt::join(within, "; ")));
  }
}

void AddDiagnosis(const Diagnosis& diagnosis, Lines* lines) {
  std::vector<std::string> bins;
  for (const UlpBin& bin : diagnosis.histogram) {
    if (bin.elements > 0) bins.push_back(fmt::format("{}: {}", bin.label, bin.elements));
  }
  if (!bins.empty()) lines->Field(4, "ulps away", fmt::format("{}", fmt::join(bins, ", ")));
  std::string label = "pattern";
  for (const std::string& pattern : diagnosis.pattern) {
    lines->Field(4, std::exchange(label, ""), pattern);
  }
  label = "likely cause";
  for (const std::string& cause : diagnosis.causes) {
    lines->Field(4, std::exchange(label, ""), cause);
  }
}

// What makes a case fail: under contract exact, other bits within the bound do.
std::vector<Failure> FailuresOf(const CaseReport& one) {
  std::vector<Failure> failures = one.failures;
  if (failures.empty() && one.bits) failures.push_back(*one.bits);
  return failures;
}

void AddCase(const KernelReport& report, const CaseReport& one, bool in_detail, Lines* lines) {
  const std::vector<Failure> failures = FailuresOf(one);
  std::string head = fmt::format("{} {}", Word(one.verdict), one.name);
  if (!one.reason.empty()) head += ": " + one.reason;
  const auto told = [](const Failure& failure) {
    const Difference& d = failure.difference;
    if (d.tensor.empty()) return fmt::format("{}: {}", failure.what, d.got);
    return fmt::format("{}: {}, {} of {} elements", failure.what, At(d), failure.outside,
                       failure.compared);
  };
  if (!in_detail) {
    if (!failures.empty()) head += ", " + told(failures.front());
    lines->Wrap("", 4, head);
    return;
  }
  lines->Blank();
  lines->Raw(PrintableText(head));
  for (const Failure& failure : failures) {
    const bool element = !failure.difference.tensor.empty();
    lines->Field(4, failure.what,
                 element ? fmt::format("{}, the first of {} in {} elements", At(failure.difference),
                                       failure.outside, failure.compared)
                         : failure.difference.got);
    if (!element) continue;
    lines->Field(4, "  got", failure.difference.got);
    lines->Field(4, "  expected", failure.difference.wanted);
  }
  if (one.diagnosis) AddDiagnosis(*one.diagnosis, lines);
  if (!report.command.empty()) lines->Raw("    " + report.RepeatOf(one));
}

void AddFailures(const KernelReport& report, Lines* lines) {
  int64_t shown = 0, more = 0;
  for (const CaseReport& one : report.cases) {
    if (!report.Fails(one)) continue;
    if (shown == kShown) {
      ++more;
      continue;
    }
    if (shown == kInDetail) lines->Blank();
    AddCase(report, one, shown < kInDetail, lines);
    ++shown;
  }
  if (more > 0) lines->Raw(fmt::format("and {} cases more (--json has them all)", more));
  if (shown == 0 || report.search.empty()) return;
  lines->Blank();
  lines->Raw("The smallest input that shows it:");
  lines->Raw("    " + report.search);
}

}  // namespace

std::string Name(Contract contract) {
  return contract == Contract::kBounded ? "bounded"
         : contract == Contract::kExact ? "exact"
                                        : "profile";
}

int64_t KernelReport::Count(Verdict word) const {
  return std::count_if(cases.begin(), cases.end(),
                       [word](const CaseReport& one) { return one.verdict == word; });
}

int64_t KernelReport::Ran() const {
  return static_cast<int64_t>(cases.size()) - Count(Verdict::kNotRun);
}

bool KernelReport::Fails(const CaseReport& one) const {
  if (one.verdict == Verdict::kWithinBound) return contract == Contract::kExact;
  return one.verdict != Verdict::kBitExact && one.verdict != Verdict::kNotRun;
}

std::string KernelReport::RepeatOf(const CaseReport& one) const {
  const std::string from = one.file.empty() ? "" : " --inputs " + one.file;
  return fmt::format("{}{} --case {}", command, from, one.name);
}

int ExitCodeOf(const KernelReport& report) {
  switch (report.verdict) {
    case Verdict::kBitExact:
      return kPassed;
    case Verdict::kWithinBound:
      return report.contract == Contract::kBounded ? kPassed : kFailed;
    case Verdict::kFailed:
    case Verdict::kUnderpowered:
      return kFailed;
    case Verdict::kNotRun:
      return kNotRun;
    case Verdict::kCrashed:
    case Verdict::kTimedOut:
      return kCrashed;
  }
  return kFailed;
}

TextStyle StyleOfTerminal(bool quiet) {
  TextStyle style{.width = kPipedWidth, .color = false, .quiet = quiet};
  if (isatty(STDOUT_FILENO) == 0) return style;
  winsize size{};
  if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) style.width = size.ws_col;
  const char* no_color = std::getenv("NO_COLOR");
  style.color = no_color == nullptr || *no_color == '\0';
  return style;
}

std::string KernelText(const KernelReport& report, const TextStyle& style) {
  Lines lines(style.width);
  const bool good = ExitCodeOf(report) == kPassed;
  std::string claim;
  if (report.verdict == Verdict::kBitExact && report.contract == Contract::kProfile) {
    claim = fmt::format(" under profile {}", report.profile);
  } else if (report.verdict == Verdict::kWithinBound) {
    claim = fmt::format(", largest ratio {:.3f}", report.bound.largest_ratio);
    if (!report.widened.empty()) claim += " of a widened bound";
    if (!good) claim += ", and the contract asked for is exact";
  }
  std::string who = TerminalText(report.info.name);
  if (report.info.origin != report.info.name) {
    who += fmt::format(" ({})", TerminalText(report.info.origin));
  }
  if (report.info.device == kSimtDevice) who += " under the CPU execution model";
  lines.Raw(fmt::format("{}{}: {} by {}", Colored(report.verdict, good, style.color),
                        PrintableText(claim), report.op, who));
  if (!report.reason.empty()) lines.Field(2, "reason", report.reason);
  if (report.cases.empty() && report.left_out.empty()) return lines.Take();  // it did not even load
  if (!style.quiet) {
    for (const std::string& line : report.widened) lines.Field(2, "widened", line);
    lines.Field(2, "cases", CaseCounts(report));
    if (report.given > 0) {
      lines.Field(2, "given",
                  fmt::format("{} of {} cases have values of the file, not those of their names",
                              report.given, report.cases.size()));
    }
  }
  AddNotRun(report, &lines);
  if (!style.quiet) {
    if (report.bits_compared > 0) AddStrength(report, &lines);
    AddChoices(report, &lines);
    if (report.Ran() > 0) AddRepeats(report, &lines);
    AddDecoys(report, &lines);
    lines.Field(2, "time",
                fmt::format("{:.1f} s, of them {:.1f} s in the kernel; contract {}, recipe {}, {}",
                            report.seconds, report.kernel_seconds, Name(report.contract),
                            Recipes(report.info.recipes), report.info.device));
  }
  AddFailures(report, &lines);
  return lines.Take();
}

}  // namespace touchstone::lab
