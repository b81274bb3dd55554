// What text and page of diff_report.h say, and the text.
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <numeric>

#include "golden/bad_file.h"
#include "lab/diff/diff_report.h"
#include "lab/recording/activation.h"
#include "lab/shown_text.h"
#include "reference/formats/contract_version.h"
#include "reference/model/activation_paths.h"

namespace touchstone::lab {
namespace {

std::string Margins(const std::string& a, const std::string& b) {
  return fmt::format("margin {} in A, {} in B", a, b);
}

std::string Dtypes(const TensorDistance& tensor) {
  if (tensor.dtype_a == tensor.dtype_b) return std::string(Name(tensor.dtype_a));
  return fmt::format("{}/{}", Name(tensor.dtype_a), Name(tensor.dtype_b));
}

std::string TextTable(const std::vector<TensorDistance>& tensors) {
  std::string text =
      fmt::format("  {:<38} {:>9} {:>10} {:>8} {:>7} {:>10} {:>10}  {}\n", "tensor", "dtype",
                  "elements", "differ", "tokens", "absolute", "relative", "where");
  for (const TensorDistance& tensor : tensors) {
    text += fmt::format("  {:<38} {:>9} {:>10} {:>8} {:>7} {:>10.3g} {:>10.3g}  {}\n", tensor.path,
                        Dtypes(tensor), tensor.elements, tensor.differ, tensor.tokens,
                        tensor.largest_absolute, tensor.largest_relative(), tensor.where);
  }
  return text;
}

// Of its tensors those that differ.
std::vector<TensorDistance> FirstLayerThatDiffers(const TraceDiff& diff) {
  std::vector<TensorDistance> within;
  for (const TensorDistance& tensor : diff.tensors) {
    if (tensor.differ == 0 || !tensor.path.starts_with("layer.")) continue;
    const std::string layer = tensor.path.substr(0, tensor.path.find('/') + 1);
    if (within.empty() || within[0].path.starts_with(layer)) within.push_back(tensor);
  }
  return within;
}

template <typename Change>
std::string TextList(const std::vector<Change>& changes, int64_t all) {
  std::string text;
  for (const Change& change : changes) text += "  " + SayChange(change) + "\n";
  const int64_t rest = all - static_cast<int64_t>(changes.size());
  return rest > 0 ? text + fmt::format("  and {} more\n", rest) : text;
}

}  // namespace

std::vector<TensorDistance> StreamOf(const TraceDiff& diff) {
  std::vector<TensorDistance> stream;
  for (const TensorDistance& tensor : diff.tensors) {
    const auto activation = FindActivation(tensor.path);
    if (!activation || tensor.path == "rope_table") continue;
    const bool is_end = activation->layer < 0 || activation->layer == kAfterLayers;
    if (is_end || tensor.path == LayerPath(activation->layer) + "/output") stream.push_back(tensor);
  }
  return stream;
}

std::vector<std::string> Collapsed(const std::vector<std::string>& paths) {
  std::vector<std::string> names;  // in order of their first layer
  std::map<std::string, int64_t> layers;
  for (const std::string& path : paths) {
    const auto activation = FindActivation(path);
    const bool has_layer = activation && activation->layer >= 0 && activation->layer < kAfterLayers;
    const std::string name = has_layer ? "layer.*" + path.substr(path.find('/')) : path;
    if (layers[name]++ == 0) names.push_back(name);
  }
  for (std::string& name : names) {
    if (name.starts_with("layer.*")) name += fmt::format(" ({})", layers[name]);
  }
  return names;
}

std::string SaySide(const DiffSide& side) {
  std::string text = fmt::format("{}, run {}", side.file, side.run);
  if (side.prefill > 0)
    text += fmt::format(" (prefill {}, then one token at a time)", side.prefill);
  text += fmt::format("; recipe {}; ", Name(side.recipe));
  text += side.is_trace ? fmt::format("a trace of contract version {}", kContractVersion)
                        : std::string("no trace of ours");
  if (!side.made_by.empty()) text += "; made by " + TerminalText(side.made_by);
  return text;
}

std::string SayCompared(const TraceDiff& diff) {
  const int64_t tokens = std::accumulate(diff.lengths.begin(), diff.lengths.end(), int64_t{0});
  const std::string what =
      fmt::format("{} tensors, {} elements, {} tokens of {} sequences", diff.tensors.size(),
                  diff.elements(), tokens, diff.lengths.size());
  if (diff.elements() == 0) return "nothing in common to compare";
  if (diff.is_identical()) return "bit-identical: " + what;
  const auto differ = std::count_if(diff.tensors.begin(), diff.tensors.end(),
                                    [](const TensorDistance& tensor) { return tensor.differ > 0; });
  return fmt::format("{}: {} tensors differ", what, differ);
}

std::vector<std::string> SayLeftOut(const TraceDiff& diff) {
  std::vector<std::string> lines;
  const auto add_side = [&lines](const char* name, const DiffSide& side) {
    if (!side.only_here.empty()) {
      lines.push_back(fmt::format("only in {}, {} tensors: {}", name, side.only_here.size(),
                                  fmt::join(Collapsed(side.only_here), ", ")));
    }
    if (!side.other_runs.empty()) {
      lines.push_back(fmt::format("other runs of {}: {}", name, fmt::join(side.other_runs, ", ")));
    }
    if (!side.unknown.empty()) {
      lines.push_back(fmt::format("{} datasets of {} are no tensor of the text model: {}{}",
                                  side.unknown.size(), name, side.unknown[0],
                                  side.unknown.size() > 1 ? ", ..." : ""));
    }
  };
  add_side("A", diff.a);
  add_side("B", diff.b);
  const auto needs_model = [](const std::string& path) {
    return path.starts_with("rope.t.") || path.ends_with("/q_final");
  };
  for (const DiffSide* side : {&diff.a, &diff.b}) {
    const auto path = std::find_if(side->only_here.begin(), side->only_here.end(), needs_model);
    if (path == side->only_here.end()) continue;
    lines.push_back(fmt::format("--model says which layer and step {} is", *path));
    break;
  }
  for (const auto& [path, found] : diff.incomparable) {
    lines.push_back(fmt::format("not comparable: {}: {}", path, found));
  }
  const auto dtypes =
      std::count_if(diff.tensors.begin(), diff.tensors.end(),
                    [](const TensorDistance& tensor) { return tensor.dtype_a != tensor.dtype_b; });
  if (dtypes > 0) {
    lines.push_back(fmt::format("{} tensors have another dtype in B: compared as numbers", dtypes));
  }
  return lines;
}

std::string SayFirst(const Divergence& first) {
  std::string text = fmt::format("{}[{}]", first.path, first.at);
  if (!first.op.empty()) text += fmt::format(", op {}", first.op);
  text += first.equal_before == 0
              ? ", the first tensor"
              : fmt::format("; the {} tensors before it are equal", first.equal_before);
  return first.is_zero_sign ? text + "; only the sign of a zero differs here" : text;
}

std::string SayChange(const ExpertChange& change) {
  std::string text =
      fmt::format("{} b={} t={}: expert {} -> {}", LayerPath(change.layer), change.sequence,
                  change.token, fmt::join(change.from, ","), fmt::join(change.to, ","));
  const auto show = [](const std::optional<double>& margin) {
    return margin ? fmt::format("{:.3g}", *margin) : std::string("not recorded");
  };
  if (!change.margin_a && !change.margin_b) return text + ", logits not recorded";
  return text + ", " + Margins(show(change.margin_a), show(change.margin_b));
}

std::string SayChange(const ArgmaxChange& change) {
  return fmt::format("b={} t={}: token {} -> {}, ", change.sequence, change.token, change.from,
                     change.to) +
         Margins(fmt::format("{:.3g}", change.margin_a), fmt::format("{:.3g}", change.margin_b));
}

std::string DiffText(const TraceDiff& diff) {
  std::string text = fmt::format("A  {}\nB  {}\n\n", SaySide(diff.a), SaySide(diff.b));
  text += SayCompared(diff) + "\n";
  for (const std::string& line : SayLeftOut(diff)) text += "  " + line + "\n";
  if (diff.is_identical() || diff.elements() == 0) return text;
  if (!diff.first) return text + "every element that was compared is equal\n";

  text += fmt::format("\nfirst divergence: {}\n  A  {}\n  B  {}\n", SayFirst(*diff.first),
                      diff.first->a, diff.first->b);
  const std::vector<TensorDistance> within = FirstLayerThatDiffers(diff);
  if (!within.empty()) {
    text += fmt::format("\nin {}, what differs\n{}",
                        within[0].path.substr(0, within[0].path.find('/')), TextTable(within));
  }
  text += "\nthe stream\n" + TextTable(StreamOf(diff));
  text += fmt::format("\nchosen experts: {}\n",
                      diff.choices == 0 ? std::string("not recorded in both")
                                        : fmt::format("{} of {} choices changed",
                                                      diff.expert_changes, diff.choices));
  text += TextList(diff.experts, diff.expert_changes);
  text += fmt::format("largest logit: {}\n", diff.argmaxes == 0
                                                 ? std::string("not recorded in both")
                                                 : fmt::format("{} of {} tokens changed",
                                                               diff.argmax_changes, diff.argmaxes));
  return text + TextList(diff.argmax, diff.argmax_changes);
}

}  // namespace touchstone::lab
