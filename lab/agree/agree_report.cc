#include "lab/agree/agree_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "lab/report.h"
#include "lab/shown_text.h"

namespace touchstone::lab {
namespace {

constexpr size_t kShown = 12;  // of a long list; JSON has all

std::string Percent(int64_t part, int64_t all) {
  if (all == 0) return "-";
  if (part == all) return "100 %";
  const double share = static_cast<double>(part) / static_cast<double>(all);
  return fmt::format("{:.1f} %", std::floor(share * 1000.0) / 10.0);  // never rounded up to 100
}

// All tensors that the same ops lead to.
struct Row {
  std::string kind;
  int64_t tensors = 0, failed = 0, ties = 0;
  Comparison all;
};

std::vector<Row> RowsOf(const RunReport& run) {
  std::vector<Row> rows;
  for (const SegmentResult& segment : run.segments) {
    if (segment.SaysNothing()) continue;
    auto row = std::find_if(rows.begin(), rows.end(),
                            [&](const Row& r) { return r.kind == segment.kind; });
    if (row == rows.end()) row = rows.insert(rows.end(), Row{segment.kind, 0, 0, 0, {}});
    ++row->tensors;
    row->failed += segment.comparison.outside > 0 ? 1 : 0;
    row->ties += segment.ties;
    row->all.Join(segment.comparison);
  }
  return rows;
}

std::string Shortened(const std::string& text, size_t width) {
  return text.size() <= width ? text : text.substr(0, width - 3) + "...";
}

std::string Table(const RunReport& run) {
  std::string text =
      fmt::format("  {:<52} {:>7} {:>10} {:>8} {:>8} {:>7} {:>8} {:>9}\n", "segment, by its ops",
                  "tensors", "elements", "unsaid", "outside", "ratio", "decided", "rejects");
  for (const Row& row : RowsOf(run)) {
    text += fmt::format(
        "  {:<52} {:>7} {:>10} {:>8} {:>8} {:>7.3g} {:>8} {:>9}\n", Shortened(row.kind, 52),
        row.tensors, row.all.compared, row.all.undecidable, row.all.outside, row.all.largest_ratio,
        Percent(row.all.decided, row.all.compared), PowerOfTwo(row.all.smallest_rejected));
  }
  return text;
}

std::string Failures(const RunReport& run) {
  std::string text;
  size_t failed = 0;
  for (const SegmentResult& segment : run.segments) {
    const Comparison& c = segment.comparison;
    if (c.outside == 0 || ++failed > kShown) continue;
    text += fmt::format(
        "  FAILED {} ({}): {} of {} outside, ratio {:.3g}\n"
        "    from {}\n    [{}] got {}, accepted {}\n",
        segment.path, segment.kind, c.outside, c.compared, c.largest_ratio,
        fmt::join(segment.starts, ", "), c.first->at, c.first->got, c.first->wanted);
  }
  if (failed > kShown) text += fmt::format("  ... and {} more tensors\n", failed - kShown);
  for (const CopyResult& copy : run.copies) {
    if (copy.comparison.outside == 0) continue;
    text += fmt::format("  FAILED {}: {} elements are not those of {}: [{}] got {}, expected {}\n",
                        copy.dataset, copy.comparison.outside, copy.path, copy.comparison.first->at,
                        copy.comparison.first->got, copy.comparison.first->wanted);
  }
  if (!run.causes.empty()) text += "  likely cause, since what failed agrees under it:\n";
  for (const std::string& cause : run.causes) text += "    " + cause + "\n";
  return text;
}

std::string Line(const char* whose, const Distance& d) {
  return fmt::format(
      "    {:<9} largest {:.3g}, root mean square {:.3g}, of logits up to {:.3g}; "
      "same top token in {} of {}\n",
      whose, d.largest, d.root_mean_square, d.largest_logit, d.same_top, d.tokens);
}

std::string EndToEndText(const EndToEnd& e) {
  std::string text;
  if (e.has_logits) {
    text +=
        "  logits of the whole run, from real arithmetic along the recorded experts "
        "(ours took its own):\n";
    text += Line("recorded", e.recorded);
    // Along its own experts, since it has no others.
    if (e.has_ours) text += Line("ours", e.ours);
  }
  if (e.choices > 0) {
    text += fmt::format("  experts: of {} choices real arithmetic would make {} otherwise\n",
                        e.choices, e.others.size());
  }
  for (const OtherChoice& c : e.others) {
    text += fmt::format(
        "    {}sequence {}, layer {}, token {}: expert {}, real arithmetic {}; "
        "margin {:.3g}, bound {:.3g}\n",
        c.Disagrees() ? "FAILED " : "", c.sequence, c.layer, c.token, c.recorded, c.real, c.margin,
        c.bound);
  }
  if (!e.end_result_alone) return text;
  const Fault cause = e.Cause();
  text += "  no segment reaches all logits; root mean square distance from real arithmetic:\n";
  auto under = e.under;
  std::stable_sort(under.begin(), under.end(),
                   [](const auto& a, const auto& b) { return a.distance < b.distance; });
  under.resize(std::min<size_t>(under.size(), 3));
  if (!e.under.empty()) {
    text += fmt::format("    {:<40} {:.4g}\n", "the right model", e.under.front().distance);
  }
  for (const EndResultUnder& one : under) {
    if (one.fault == Fault::kNone) continue;
    text += fmt::format("    {:<40} {:.4g}\n", RowOf(one.fault).name, one.distance);
  }
  if (cause != Fault::kNone) {
    text +=
        fmt::format("  FAILED output/logits: {}: {}\n", RowOf(cause).name, RowOf(cause).sentence);
  } else if (e.IsFarFromAll()) {
    text += fmt::format(
        "  FAILED output/logits: {:.3g} times as far as right logits would be, and no known wrong "
        "model explains it\n",
        e.recorded.root_mean_square / e.Yardstick());
  }
  return text;
}

std::string RunText(const RunReport& run) {
  int64_t ties = 0;
  for (const SegmentResult& segment : run.segments) ties += segment.ties;
  const std::string roundings =
      run.roundings == "contract" ? "the contract" : "profile " + run.roundings;
  const bool compared = std::any_of(run.segments.begin(), run.segments.end(),
                                    [](const SegmentResult& s) { return !s.SaysNothing(); });
  std::string text = fmt::format("\nrun {}: {}", run.name,
                                 !run.Agrees()                     ? "FAILED"
                                 : compared                        ? "WITHIN BOUND"
                                 : run.end_to_end.end_result_alone ? "its end result was compared"
                                                                   : "NOT RUN");
  if (compared) {
    text += run.SegmentsAgree() ? ", under " + roundings : ", shown under " + roundings;
  }
  text += "\n";
  if (compared) text += Table(run);
  text += Failures(run);
  if (ties > 0) {
    text +=
        fmt::format("  {} tokens have equal largest router logits; any of these is right\n", ties);
  }
  if (!run.copies.empty()) {
    text += fmt::format("  {} datasets repeat others, compared bit for bit\n", run.copies.size());
  }
  text += EndToEndText(run.end_to_end);
  for (const NotRun& one : run.not_run) {
    const bool above =
        run.end_to_end.end_result_alone && one.dataset.find("output/logits") != std::string::npos;
    text += fmt::format("  NOT RUN {}: {}{}\n", one.dataset, one.reason,
                        above ? "; compared as a whole, above" : "");
  }
  return text;
}

std::string Closing(const AgreementReport& report) {
  if (report.Agrees()) {
    int64_t elements = 0, unsaid = 0, not_run = static_cast<int64_t>(report.not_run.size());
    for (const RunReport& run : report.runs) {
      not_run += static_cast<int64_t>(run.not_run.size());
      for (const SegmentResult& segment : run.segments) {
        elements += segment.comparison.compared;
        unsaid += segment.SaysNothing() ? 0 : segment.comparison.undecidable;
      }
    }
    return fmt::format(
        "WITHIN BOUND: {} segments, {} elements{}; {} tensors NOT RUN\n", report.compared(),
        elements, unsaid > 0 ? fmt::format(", and {} of which nothing can be said", unsaid) : "",
        not_run);
  }
  if (report.compared() == 0) return "FAILED: no recorded tensor was compared\n";
  std::string where;
  if (!report.surplus.empty()) {
    where = fmt::format("{}: {}", report.surplus.front().dataset, report.surplus.front().reason);
  }
  for (const RunReport& run : report.runs) {
    if (run.Agrees()) continue;
    std::string first = "choices of experts";
    for (const SegmentResult& segment : run.segments) {
      if (segment.comparison.outside == 0) continue;
      first = fmt::format("{} ({})", segment.path, segment.kind);
      break;
    }
    for (const CopyResult& copy : run.copies) {
      if (copy.comparison.outside > 0 && first == "choices of experts") first = copy.dataset;
    }
    const EndToEnd& e = run.end_to_end;
    if (run.SegmentsAgree() && (e.Cause() != Fault::kNone || e.IsFarFromAll()))
      first = "output/logits";
    where += fmt::format("{}{}: {}", where.empty() ? "" : "; ", run.name, first);
  }
  return fmt::format("FAILED: {}\n", where);
}

// ---- JSON ---------------------------------------------------------------------------------------

nlohmann::json Number(double x) {
  return std::isfinite(x) ? nlohmann::json(x) : nlohmann::json(nullptr);
}

nlohmann::json FirstOf(const Comparison& c) {
  if (!c.first) return nullptr;
  return {{"at", c.first->at}, {"got", c.first->got}, {"wanted", c.first->wanted}};
}

nlohmann::json ListOf(const std::vector<NotRun>& all) {
  nlohmann::json list = nlohmann::json::array();
  for (const NotRun& one : all) list.push_back({{"dataset", one.dataset}, {"reason", one.reason}});
  return list;
}

nlohmann::json DistanceJson(const Distance& d) {
  return {{"largest", Number(d.largest)},
          {"root_mean_square", Number(d.root_mean_square)},
          {"largest_logit", Number(d.largest_logit)},
          {"tokens", d.tokens},
          {"same_top", d.same_top}};
}

nlohmann::json SegmentJson(const SegmentResult& segment) {
  nlohmann::json ops = nlohmann::json::array();
  for (const OpStep& step : segment.steps) ops.push_back({{"op", step.op}, {"makes", step.path}});
  const Comparison& c = segment.comparison;
  return {{"path", segment.path},
          {"dataset", segment.dataset},
          {"ops", ops},
          {"starts", segment.starts},
          {"compared", c.compared},
          {"outside", c.outside},
          {"undecidable", c.undecidable},
          {"decided", c.decided},
          {"ratio", Number(c.largest_ratio)},
          {"smallest_rejected", Number(c.smallest_rejected)},
          {"ties", segment.ties},
          {"first", FirstOf(c)}};
}

nlohmann::json RunJson(const RunReport& run) {
  nlohmann::json json = {
      {"name", run.name},           {"verdict", run.Agrees() ? "WITHIN BOUND" : "FAILED"},
      {"roundings", run.roundings}, {"tried", run.tried},
      {"causes", run.causes},       {"not_run", ListOf(run.not_run)}};
  json["segments"] = nlohmann::json::array();
  for (const SegmentResult& segment : run.segments)
    json["segments"].push_back(SegmentJson(segment));
  json["copies"] = nlohmann::json::array();
  for (const CopyResult& copy : run.copies) {
    json["copies"].push_back({{"dataset", copy.dataset},
                              {"path", copy.path},
                              {"elements", copy.comparison.compared},
                              {"outside", copy.comparison.outside}});
  }
  const EndToEnd& e = run.end_to_end;
  nlohmann::json others = nlohmann::json::array();
  for (const OtherChoice& c : e.others) {
    others.push_back({{"sequence", c.sequence},
                      {"layer", c.layer},
                      {"token", c.token},
                      {"recorded", c.recorded},
                      {"real", c.real},
                      {"margin", Number(c.margin)},
                      {"bound", Number(c.bound)},
                      {"disagrees", c.Disagrees()}});
  }
  json["choices"] = {{"looked_at", e.choices}, {"others", others}};
  json["logits"] = nullptr;
  if (e.has_logits) {
    json["logits"] = {{"recorded", DistanceJson(e.recorded)},
                      {"ours", e.has_ours ? DistanceJson(e.ours) : nlohmann::json(nullptr)}};
  }
  json["end_result"] = nullptr;
  if (e.end_result_alone) {
    nlohmann::json under = nlohmann::json::object();
    for (const EndResultUnder& one : e.under) {
      if (one.fault != Fault::kNone) under[RowOf(one.fault).name] = Number(one.distance);
    }
    const Fault cause = e.Cause();
    json["end_result"] = {
        {"cause", cause == Fault::kNone ? nlohmann::json() : nlohmann::json(RowOf(cause).name)},
        {"right", Number(e.under.empty() ? 0.0 : e.under.front().distance)},
        {"yardstick", Number(e.Yardstick())},
        {"far_from_all", e.IsFarFromAll()},
        {"under", under}};
  }
  return json;
}

}  // namespace

std::string AgreementText(const AgreementReport& report) {
  std::string text =
      fmt::format("{}: {}{}{}\n", report.file, report.recipe,
                  report.made_by.empty() ? "" : ", made by ", TerminalText(report.made_by));
  for (const RunReport& run : report.runs) text += RunText(run);
  if (!report.not_run.empty() || !report.surplus.empty()) text += "\n";
  for (const NotRun& one : report.surplus) {
    text += fmt::format("FAILED {}: {}\n", one.dataset, one.reason);
  }
  for (const NotRun& one : report.not_run) {
    text += fmt::format("NOT RUN {}: {}\n", one.dataset, one.reason);
  }
  return text + "\n" + Closing(report);
}

std::string AgreementJson(const AgreementReport& report, const std::string& model) {
  nlohmann::json json = {{"file", report.file},
                         {"made_by", report.made_by},
                         {"model", model},
                         {"recipe", report.recipe},
                         {"verdict", report.Agrees() ? "WITHIN BOUND" : "FAILED"},
                         {"compared", report.compared()},
                         {"not_run", ListOf(report.not_run)},
                         {"surplus", ListOf(report.surplus)}};
  json["runs"] = nlohmann::json::array();
  for (const RunReport& run : report.runs) json["runs"].push_back(RunJson(run));
  return json.dump(1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

}  // namespace touchstone::lab
