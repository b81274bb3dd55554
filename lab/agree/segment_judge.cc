#include "lab/agree/segment_judge.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "reference/formats/require.h"

namespace touchstone::lab {
namespace {

using exact::Enclosure;

std::string SiblingOf(const std::string& path, const char* name) {
  return path.substr(0, path.rfind('/') + 1) + name;
}

// Consecutive equal words once.
std::string KindOf(const std::vector<OpStep>& steps) {
  constexpr size_t kShown = 8;
  std::vector<std::string> words;
  for (const OpStep& step : steps) {
    if (words.empty() || words.back() != step.op) words.push_back(step.op);
  }
  if (words.empty()) return "copy";
  if (words.size() <= kShown) return fmt::format("{}", fmt::join(words, "+"));
  return fmt::format("{}+...{} ops...+{}", words.front(), steps.size() - 2, words.back());
}

// The lab's comparison of an op's output serves for any tensor that has a name and letters.
Comparison CompareNamed(const std::string& path, const std::string& dims, const Tensor& recorded,
                        Expected expected) {
  OpSpec spec;
  spec.name = path;
  spec.arguments = {{path, Role::kOut, dims}};
  Case c{&spec, recorded.dtype, "recorded", {{'T', recorded.shape.at(0)}}, {}, 0};
  Tensors tensors;
  tensors.emplace(path, recorded);
  return CompareWithExpected(c, tensors, expected);
}

Comparison CompareReal(const std::string& path, const std::string& dims, const Tensor& recorded,
                       const Enclosure& expected) {
  Expected wide, narrow;
  Enclosure& bounded = wide.results.reals[path] = expected;
  for (int64_t i = 0; i < bounded.value.size(); ++i) {
    const bool has_ends =
        std::isfinite(bounded.lower.data()[i]) && std::isfinite(bounded.upper.data()[i]);
    if (std::isfinite(bounded.value.data()[i]) && !has_ends) bounded.undecidable.data()[i] = true;
  }
  narrow.results.reals[path] = bounded;
  GiveUpWideElements(&narrow.results.reals[path]);
  // A value inside a wide interval says nothing and does not count; one outside it is still wrong.
  const Comparison every = CompareNamed(path, dims, recorded, std::move(wide));
  Comparison telling = CompareNamed(path, dims, recorded, std::move(narrow));
  telling.outside = every.outside;
  telling.first = every.first;
  telling.largest_ratio =
      std::max(telling.largest_ratio, every.outside > 0 ? every.largest_ratio : 0.0);
  return telling;
}

// Experts that were found from scores have no order among equal scores: that of their logits.
void SortByLogit(const Enclosure& logits, Tensor* chosen) {
  const int64_t A = chosen->shape.at(1);
  int64_t* values = chosen->values<int64_t>();
  for (int64_t t = 0; t < chosen->shape.at(0); ++t) {
    std::stable_sort(values + t * A, values + (t + 1) * A,
                     [&](int64_t a, int64_t b) { return logits.value(t, a) > logits.value(t, b); });
  }
}

SegmentResult JudgeChoice(const std::string& path, ModelGraph* graph, RecordedSequence* recorded) {
  const Derived& expected = graph->Expected(path);
  SegmentResult result;
  result.steps = expected.steps;
  result.starts = expected.starts;
  Tensor chosen = recorded->Raw(path);
  const Derived& logits = graph->Known(SiblingOf(path, "router_logits"));
  if (recorded->FoundChosenInScores(path)) SortByLogit(logits.real, &chosen);
  // Where every expert may stand, the logits say nothing.
  Expected wanted;
  wanted.results.choices[path] = expected.choices;
  const int64_t A = chosen.shape.at(1);
  const size_t E = static_cast<size_t>(graph->config().experts);
  const bool open =
      E > 1 && std::all_of(expected.choices.begin(), expected.choices.end(),
                           [E](const auto& accepted) { return accepted.size() == E; });
  if (open && !logits.steps.empty()) {
    result.comparison.undecidable = chosen.count();
    return result;
  }
  for (int64_t t = 0; t < chosen.shape.at(0); ++t) {
    bool tie = false;
    for (int64_t a = 0; a < A; ++a) {
      tie |= expected.choices.at(static_cast<size_t>(t * A + a)).size() > 1;
    }
    result.ties += tie && logits.steps.empty() ? 1 : 0;
  }
  result.comparison = CompareNamed(path, DimsOf(path), chosen, std::move(wanted));
  return result;
}

}  // namespace

void GiveUpWideElements(Enclosure* expected) {
  double largest = std::numeric_limits<double>::min();
  for (int64_t i = 0; i < expected->value.size(); ++i) {
    const double size = std::fabs(expected->value.data()[i]);
    if (!expected->undecidable.data()[i] && std::isfinite(size)) largest = std::max(largest, size);
  }
  for (int64_t i = 0; i < expected->value.size(); ++i) {
    const double width = 0.5 * (expected->upper.data()[i] - expected->lower.data()[i]);
    if (std::isfinite(expected->value.data()[i]) && !(width <= largest)) {
      expected->undecidable.data()[i] = true;
    }
  }
}

RecordedSequence::RecordedSequence(const Recording& recording, const RecordedRun& run,
                                   int64_t sequence, const TextConfig& config)
    : recording_(recording),
      run_(run),
      sequence_(sequence),
      config_(config),
      ids_(recording.inputs().ids_of(sequence)) {}

const Tensor& RecordedSequence::Raw(const std::string& path) {
  const auto found = raw_.find(path);
  if (found != raw_.end()) return found->second;
  return raw_.emplace(path, recording_.Read(run_, path, sequence_)).first->second;
}

std::string RecordedSequence::DatasetOf(const std::string& path) const {
  return recording_.Dataset(run_, path);
}

bool RecordedSequence::HasScoresOfAll(const std::string& scores_path) {
  if (!recording_.Has(run_, scores_path)) return false;
  // A trace of ours has those of the chosen, whose number may be that of all.
  if (recording_.Dataset(run_, scores_path).ends_with(scores_path)) return false;
  return Raw(scores_path).shape.at(1) == config_.experts;
}

bool RecordedSequence::FoundChosenInScores(const std::string& chosen_path) const {
  const std::string scores_path = SiblingOf(chosen_path, "scores");
  return recording_.Has(run_, scores_path) &&
         recording_.Dataset(run_, chosen_path) == recording_.Dataset(run_, scores_path);
}

std::optional<Tensor> RecordedSequence::Find(const std::string& path) {
  if (const auto found = found_.find(path); found != found_.end()) return found->second;
  if (!recording_.Has(run_, path))
    return path == "fused_embedding" ? FusedOfAnyRun() : std::nullopt;
  const Tensor& raw = Raw(path);
  if (!path.ends_with("/scores") || !HasScoresOfAll(path)) return raw;
  const Tensor& chosen = Raw(SiblingOf(path, "chosen"));
  const int64_t T = raw.shape.at(0), E = raw.shape.at(1), A = chosen.shape.at(1);
  Tensor scores(raw.dtype, {T, A});
  for (int64_t i = 0; i < T * A; ++i) {
    const int64_t e = chosen.values<int64_t>()[i];
    scores.SetReal(i, static_cast<float>(raw.Real(i / A * E + e)));
  }
  return found_.emplace(path, std::move(scores)).first->second;
}

void RecordedSequence::ForgetBefore(int64_t layer) {
  const auto is_before = [layer](const auto& entry) { return IsOfLayerBefore(entry.first, layer); };
  std::erase_if(raw_, is_before);
  std::erase_if(found_, is_before);
}

// The images are inputs, the same in all runs, though one alone may have recorded their rows.
std::optional<Tensor> RecordedSequence::FusedOfAnyRun() {
  const std::string path = "fused_embedding";
  for (const RecordedRun& other : recording_.runs()) {
    if (!recording_.Has(other, path)) continue;
    return found_.emplace(path, recording_.Read(other, path, sequence_)).first->second;
  }
  return std::nullopt;
}

std::string DimsOf(const std::string& path) {
  const std::string name = path.substr(path.rfind('/') + 1);
  if (path == "rope_table") return "TJ2";
  if (path == "output/logits") return "TV";
  if (path.find("/attention/") != std::string::npos && name != "output") {
    return name.starts_with("k") || name == "v" ? "TGD" : "THD";
  }
  if (path.find("/feed_forward/") != std::string::npos) {
    if (name == "router_logits") return "TE";
    if (name == "chosen" || name == "scores") return "TA";
    if (name == "expert_input" || name == "expert_down") return "TAC";
    if (name.starts_with("expert_")) return "TAF";
    if (name.ends_with("gate") || name.ends_with("up") || name.ends_with("activation")) return "TF";
  }
  return "TC";
}

void SegmentResult::Join(const SegmentResult& other) {
  comparison.Join(other.comparison);
  ties += other.ties;
}

SegmentResult JudgeSegment(const std::string& path, ModelGraph* graph, RecordedSequence* recorded) {
  SegmentResult result;
  if (path.ends_with("/chosen")) {
    result = JudgeChoice(path, graph, recorded);
  } else if (path.ends_with("/scores") && recorded->HasScoresOfAll(path)) {
    const int64_t layer = std::stoll(path.substr(std::string("layer.").size()));
    const Derived& expected = graph->Expected(path);
    result.steps = expected.steps;
    result.starts = expected.starts;
    result.comparison = CompareReal(path, "TE", recorded->Raw(path), graph->ScoresOfAll(layer));
  } else {
    const Derived& expected = graph->Expected(path);
    result.steps = expected.steps;
    result.starts = expected.starts;
    result.comparison = CompareReal(path, DimsOf(path), recorded->Raw(path), expected.real);
  }
  result.path = path;
  result.dataset = recorded->DatasetOf(path);
  result.kind = KindOf(result.steps);
  return result;
}

}  // namespace touchstone::lab
