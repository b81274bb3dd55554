#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <string_view>

#include "lab/diff/diff_report.h"
#include "lab/shown_text.h"

namespace touchstone::lab {
namespace {

// Colours follow the reader's scheme; everything that carries meaning has text too.
constexpr std::string_view kStyle = R"(
:root { color-scheme: light dark; --ink: #1b1f24; --faint: #6b7280; --line: #d5d9df;
  --mark: #b3261e; --paper: #ffffff; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e8eb; --faint: #9aa2ad; --line: #3a414b;
  --mark: #ff8a80; --paper: #14171b; } }
body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper);
  max-width: 72em; margin: 2em auto; padding: 0 1em; }
h1 { font-size: 1.4em; } h2 { font-size: 1.1em; margin-top: 2em; }
code, td, .value { font-family: ui-monospace, monospace; font-size: 0.87em; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; } th, td { padding: 0.2em 0.8em; text-align: right; }
th { font-weight: 600; border-bottom: 1px solid var(--ink); }
td { border-bottom: 1px solid var(--line); }
th:first-child, td:first-child, th:last-child, td:last-child { text-align: left; }
tr.differs td:first-child { color: var(--mark); }
svg { width: 100%; height: auto; font: 12px system-ui, sans-serif; }
svg text { fill: var(--ink); } svg .faint { fill: var(--faint); }
svg .grid { stroke: var(--line); } svg .axis { stroke: var(--ink); }
svg .curve { stroke: var(--mark); fill: none; stroke-width: 1.5; }
svg .dot { fill: var(--mark); } svg .equal { fill: var(--paper); stroke: var(--faint); }
)";

std::string Number(double x) { return std::isfinite(x) ? fmt::format("{:.3g}", x) : "infinite"; }

std::string Table(const std::vector<TensorDistance>& tensors) {
  std::string rows;
  for (const TensorDistance& tensor : tensors) {
    const std::string dtype =
        tensor.dtype_a == tensor.dtype_b
            ? std::string(Name(tensor.dtype_a))
            : fmt::format("{}/{}", Name(tensor.dtype_a), Name(tensor.dtype_b));
    rows += fmt::format(
        "<tr{}><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td>"
        "<td>{}</td><td>{}</td></tr>\n",
        tensor.differ > 0 ? " class=\"differs\"" : "", EscapedText(tensor.path), dtype,
        tensor.elements, tensor.differ, tensor.zero_signs, tensor.tokens,
        Number(tensor.largest_absolute), Number(tensor.largest_relative()), tensor.where);
  }
  return "<div class=\"wide\"><table><thead><tr><th>tensor</th><th>dtype</th><th>elements</th>"
         "<th>differ</th><th>only in a zero's sign</th><th>tokens</th><th>largest absolute</th>"
         "<th>largest relative</th><th>where</th></tr></thead><tbody>\n" +
         rows + "</tbody></table></div>\n";
}

// "layer.07/output" below a point: "07".
std::string Label(const std::string& path) {
  if (path.starts_with("layer.")) return path.substr(6, path.find('/') - 6);
  return path == "output/logits" ? "logits" : path;
}

// Relative distance along the stream on a logarithmic scale. What is equal lies on the bottom line,
// what is infinite on the top one.
class Chart {
 public:
  explicit Chart(std::vector<TensorDistance> stream) : stream_(std::move(stream)) {
    for (const TensorDistance& tensor : stream_) {
      const double relative = tensor.largest_relative();
      if (relative == 0.0 || !std::isfinite(relative)) continue;
      low_ = std::min(low_, static_cast<int>(std::floor(std::log10(relative))));
      high_ = std::max(high_, static_cast<int>(std::ceil(std::log10(relative))));
    }
    if (low_ > high_) low_ = high_ = 0;
    if (high_ == low_) ++high_;
  }

  std::string Svg() const {
    std::string svg = fmt::format(
        "<svg viewBox=\"0 0 {} {}\" role=\"img\" aria-label=\"largest relative distance between A "
        "and B along the stream of hidden states, logarithmic\">\n",
        kWidth, kHeight);
    svg += Axes() + Curve() + Points();
    return svg + "</svg>\n";
  }

 private:
  static constexpr int kWidth = 960, kHeight = 380;
  static constexpr double kLeft = 80, kRight = 940, kTop = 40, kBottom = 270, kEqual = 300;

  double X(size_t i) const {
    const double n = static_cast<double>(std::max<size_t>(stream_.size(), 2) - 1);
    return kLeft + 15 + (kRight - kLeft - 30) * static_cast<double>(i) / n;
  }

  double Y(double relative) const {
    if (relative == 0.0) return kEqual;
    if (!std::isfinite(relative)) return kTop - 20;
    return kBottom - (kBottom - kTop) * (std::log10(relative) - low_) / (high_ - low_);
  }

  std::string Axes() const {
    std::string svg;
    const int step = std::max(1, (high_ - low_ + 7) / 8);
    for (int e = low_; e <= high_; e += step) {
      const double y = kBottom - (kBottom - kTop) * (e - low_) / (high_ - low_);
      svg += Line("grid", y) + Tick(fmt::format("1e{}", e), y);
    }
    const bool is_infinite = std::any_of(stream_.begin(), stream_.end(), [](const auto& tensor) {
      return !std::isfinite(tensor.largest_relative());
    });
    if (is_infinite) svg += Line("grid", kTop - 20) + Tick("infinite", kTop - 20);
    svg += Line("axis", kEqual) + Tick("equal", kEqual);
    svg += fmt::format(
        "<text x=\"{}\" y=\"{}\" text-anchor=\"middle\">embedding, layers, final norm, logits"
        "</text>\n"
        "<text x=\"16\" y=\"{}\" text-anchor=\"middle\" transform=\"rotate(-90 16 {})\">largest "
        "difference / largest element</text>\n",
        (kLeft + kRight) / 2, kHeight - 6, (kTop + kBottom) / 2, (kTop + kBottom) / 2);
    return svg;
  }

  static std::string Line(const char* kind, double y) {
    return fmt::format("<line class=\"{}\" x1=\"{}\" x2=\"{}\" y1=\"{:.1f}\" y2=\"{:.1f}\"/>\n",
                       kind, kLeft, kRight, y, y);
  }

  static std::string Tick(const std::string& text, double y) {
    return fmt::format(
        "<text class=\"faint\" x=\"{}\" y=\"{:.1f}\" text-anchor=\"end\">{}</text>\n", kLeft - 8,
        y + 4, text);
  }

  std::string Curve() const {
    std::string points;
    for (size_t i = 0; i < stream_.size(); ++i) {
      points +=
          fmt::format("{}{:.1f},{:.1f}", i == 0 ? "" : " ", X(i), Y(stream_[i].largest_relative()));
    }
    return fmt::format("<polyline class=\"curve\" points=\"{}\"/>\n", points);
  }

  std::string Points() const {
    std::string svg;
    const size_t step = std::max<size_t>(1, stream_.size() / 30);
    for (size_t i = 0; i < stream_.size(); ++i) {
      const TensorDistance& tensor = stream_[i];
      const double relative = tensor.largest_relative();
      svg += fmt::format(
          "<circle class=\"{}\" cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"4\"><title>{}: {} of {} elements "
          "differ, largest relative difference {}</title></circle>\n",
          tensor.differ == 0 ? "equal" : "dot", X(i), Y(relative), EscapedText(tensor.path),
          tensor.differ, tensor.elements, Number(relative));
      if (i % step != 0 && i + 1 != stream_.size()) continue;
      svg += fmt::format(
          "<text class=\"faint\" text-anchor=\"end\" transform=\"translate({:.1f} {}) "
          "rotate(-45)\">{}</text>\n",
          X(i) + 4, kEqual + 16, EscapedText(Label(tensor.path)));
    }
    return svg;
  }

  std::vector<TensorDistance> stream_;
  int low_ = 400, high_ = -400;
};

template <typename Change>
std::string List(const std::vector<Change>& changes, int64_t all) {
  std::string items;
  for (const Change& change : changes) {
    items += fmt::format("<li><code>{}</code></li>\n", EscapedText(SayChange(change)));
  }
  const int64_t rest = all - static_cast<int64_t>(changes.size());
  if (rest > 0) items += fmt::format("<li>and {} more</li>\n", rest);
  return items.empty() ? "" : "<ul>\n" + items + "</ul>\n";
}

std::string Decisions(const TraceDiff& diff) {
  std::string html = "<h2>Decisions</h2>\n";
  html += diff.choices == 0 ? std::string("<p>Chosen experts are not recorded in both.</p>\n")
                            : fmt::format("<p>Chosen experts: {} of {} choices changed.</p>\n",
                                          diff.expert_changes, diff.choices);
  html += List(diff.experts, diff.expert_changes);
  html += diff.argmaxes == 0 ? std::string("<p>Logits are not recorded in both.</p>\n")
                             : fmt::format("<p>Largest logit: {} of {} tokens changed.</p>\n",
                                           diff.argmax_changes, diff.argmaxes);
  return html + List(diff.argmax, diff.argmax_changes);
}

}  // namespace

std::string DiffHtml(const TraceDiff& diff) {
  std::string html = fmt::format(
      "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>\n"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n"
      "<title>Touchstone: two recordings compared</title>\n<style>{}</style>\n</head>\n<body>\n"
      "<h1>Two recordings compared</h1>\n<p>A: {}<br/>\nB: {}</p>\n<p><strong>{}</strong></p>\n",
      kStyle, EscapedText(SaySide(diff.a)), EscapedText(SaySide(diff.b)),
      EscapedText(SayCompared(diff)));
  const std::vector<std::string> left_out = SayLeftOut(diff);
  if (!left_out.empty()) {
    html += "<ul>\n";
    for (const std::string& line : left_out)
      html += fmt::format("<li>{}</li>\n", EscapedText(line));
    html += "</ul>\n";
  }
  if (diff.first) {
    html += fmt::format(
        "<h2>First divergence</h2>\n<p><code>{}</code></p>\n<p class=\"value\">A {}<br/>\n"
        "B {}</p>\n",
        EscapedText(SayFirst(*diff.first)), EscapedText(diff.first->a), EscapedText(diff.first->b));
  }
  const std::vector<TensorDistance> stream = StreamOf(diff);
  if (!stream.empty()) {
    html += "<h2>Distance along the stream</h2>\n" + Chart(stream).Svg() + Table(stream);
  }
  html += Decisions(diff);
  html += "<h2>Every tensor, in forward order</h2>\n" + Table(diff.tensors);
  return html + "</body>\n</html>\n";
}

}  // namespace touchstone::lab
