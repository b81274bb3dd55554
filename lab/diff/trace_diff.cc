#include "lab/diff/trace_diff.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <numeric>

#include "golden/bad_file.h"
#include "lab/diff/decisions.h"
#include "lab/diff/recorded_side.h"
#include "lab/judge.h"
#include "lab/recording/activation.h"

namespace touchstone::lab {
namespace {

int64_t CountOf(const std::vector<int64_t>& extents) {
  return std::accumulate(extents.begin(), extents.end(), int64_t{1}, std::multiplies<>());
}

// Of an element of one token, in that of the two shapes which has an axis for each letter; where
// neither has, along one axis of all letters: "hd=37".
class TokenCoordinates {
 public:
  TokenCoordinates(const std::string& letters, const std::vector<int64_t>& a,
                   const std::vector<int64_t>& b) {
    for (const std::vector<int64_t>& shape : {a, b}) {
      if (shape.size() != letters.size() || !names_.empty()) continue;
      extents_ = shape;
      for (const char letter : letters) names_.push_back(Lower({&letter, 1}));
    }
    if (!names_.empty()) return;
    extents_ = {CountOf(a)};
    names_ = {Lower(letters)};
  }

  std::string At(int64_t sequence, int64_t token, int64_t element) const {
    std::string text;
    for (size_t axis = extents_.size(); axis-- > 0;) {
      text = fmt::format(" {}={}", names_[axis], element % extents_[axis]) + text;
      element /= extents_[axis];
    }
    return fmt::format("b={} t={}", sequence, token) + text;
  }

 private:
  static std::string Lower(std::string_view letters) {
    std::string lower(letters);
    for (char& c : lower) c = static_cast<char>(c - 'A' + 'a');
    return lower;
  }

  std::vector<int64_t> extents_;
  std::vector<std::string> names_;
};

bool AreEqual(double a, double b) {
  return (a == b && std::signbit(a) == std::signbit(b)) || (std::isnan(a) && std::isnan(b));
}

double Distance(double a, double b) {
  const double distance = std::fabs(a - b);
  return std::isnan(distance) ? std::numeric_limits<double>::infinity() : distance;
}

// Compares blocks of rows of one tensor.
class TensorComparison {
 public:
  TensorComparison(const std::string& path, TokenCoordinates coordinates)
      : coordinates_(std::move(coordinates)), is_integer_(IsInteger(path)) {
    distance_.path = path;
  }

  void Add(const Tensor& a, const Tensor& b, int64_t sequence, int64_t first) {
    distance_.dtype_a = a.dtype;
    distance_.dtype_b = b.dtype;
    const std::vector<double> in_a = Reals(a), in_b = Reals(b);
    for (const std::vector<double>* side : {&in_a, &in_b}) {
      for (const double x : *side) {
        const double size = std::fabs(x);
        if (size > distance_.magnitude && std::isfinite(size)) distance_.magnitude = size;
      }
    }
    const auto width = static_cast<int64_t>(in_a.size()) / std::max(int64_t{1}, a.shape[0]);
    int64_t last = -1;  // token that differs
    for (int64_t i = 0; i < a.count(); ++i) {
      const double x = in_a[static_cast<size_t>(i)], y = in_b[static_cast<size_t>(i)];
      if (AreEqual(x, y)) continue;
      distance_.tokens += i / width > last ? 1 : 0;
      last = i / width;
      AddDifference(a, b, i, sequence, first + last, i % width);
    }
    distance_.elements += a.count();
  }

  const TensorDistance& distance() const { return distance_; }
  const std::optional<Divergence>& first() const { return first_; }

 private:
  void AddDifference(const Tensor& a, const Tensor& b, int64_t i, int64_t sequence, int64_t token,
                     int64_t element) {
    const double x = a.Real(i), y = b.Real(i);
    const bool is_first = distance_.differ++ == 0;
    distance_.zero_signs += x == y ? 1 : 0;
    const double apart = is_integer_ ? 0.0 : Distance(x, y);
    const std::string at = is_first || apart > distance_.largest_absolute
                               ? coordinates_.At(sequence, token, element)
                               : "";
    if (!at.empty()) {
      distance_.largest_absolute = apart;
      distance_.where = at;
    }
    if (!is_first) return;
    const auto activation = FindActivation(distance_.path);
    first_ = Divergence{distance_.path,
                        activation ? std::string(activation->op) : "",
                        at,
                        ShowElement(a, i),
                        ShowElement(b, i),
                        0,
                        x == y};
  }

  TokenCoordinates coordinates_;
  bool is_integer_;
  TensorDistance distance_;
  std::optional<Divergence> first_;
};

void RequireSameInputs(const Recording& a, const Recording& b) {
  const auto refuse = [&](const std::string& what, int64_t in_a, int64_t in_b) {
    throw golden::BadFile(
        fmt::format("{} and {}: found {} {} and {}, expected the same inputs in both files",
                    a.file(), b.file(), what, in_a, in_b));
  };
  const TextInputs &left = a.inputs(), &right = b.inputs();
  if (left.batch != right.batch) refuse("batches of", left.batch, right.batch);
  for (int64_t s = 0; s < left.batch; ++s) {
    const std::vector<int64_t> ids_a = left.ids_of(s), ids_b = right.ids_of(s);
    if (ids_a.size() != ids_b.size()) {
      refuse(fmt::format("in sequence b={} token counts of", s), static_cast<int64_t>(ids_a.size()),
             static_cast<int64_t>(ids_b.size()));
    }
    for (size_t t = 0; t < ids_a.size(); ++t) {
      if (ids_a[t] != ids_b[t])
        refuse(fmt::format("at input/input_ids[b={} t={}]", s, t), ids_a[t], ids_b[t]);
    }
  }
}

DiffSide Describe(const RecordedSide& side) {
  DiffSide described;
  const Recording& recording = side.recording;
  described.file = recording.file();
  described.made_by = recording.made_by();
  described.run = side.run.name;
  described.recipe = recording.recipe();
  described.is_trace = recording.is_trace();
  described.prefill = side.run.prefill;
  for (const RecordedRun& run : recording.runs()) {
    if (run.name != side.run.name) described.other_runs.push_back(run.name);
  }
  described.unknown = recording.unknown();
  return described;
}

// Scores of all experts, in the order of the chosen ones.
Tensor ScoresOfChosen(const RecordedSide& side, const std::string& scores, int64_t sequence,
                      int64_t first, int64_t count) {
  const Tensor all = side.Rows(scores, sequence, first, count);
  const std::string path = scores.substr(0, scores.rfind('/')) + "/chosen";
  const Tensor chosen = side.Rows(path, sequence, first, count);
  const int64_t E = all.shape.back(), A = chosen.shape.back();
  const size_t bytes = ElementBytes(all.dtype);
  Tensor taken(all.dtype, {count, A});
  for (int64_t i = 0; i < count * A; ++i) {
    const int64_t expert = chosen.values<int64_t>()[i];
    if (expert >= E) {
      throw golden::BadFile(fmt::format(
          "{}: {}[b={} t={}]: found expert {}, expected 0 to {}", side.recording.file(),
          side.recording.Dataset(side.run, path), sequence, first + i / A, expert, E - 1));
    }
    const int64_t from = i / A * E + expert;
    std::copy_n(all.data.begin() + from * static_cast<int64_t>(bytes), bytes,
                taken.data.begin() + i * static_cast<int64_t>(bytes));
  }
  return taken;
}

class Differ {
 public:
  Differ(const RecordedSide& a, const RecordedSide& b, TraceDiff* diff)
      : a_(a), b_(b), diff_(*diff) {}

  void Compare(const std::string& path) {
    const std::vector<int64_t> shape_a = a_.RowShape(path), shape_b = b_.RowShape(path);
    const int64_t width_a = CountOf(shape_a), width_b = CountOf(shape_b);
    int64_t width = width_a;
    if (width_a != width_b) {
      width = path.ends_with("/scores") ? ChosenWidth(path, width_a, width_b) : 0;
      if (width == 0) {
        diff_.incomparable.emplace_back(
            path, fmt::format("({}) a token in A, ({}) in B", fmt::join(shape_a, ", "),
                              fmt::join(shape_b, ", ")));
        return;
      }
    }
    TensorComparison comparison(path, {LettersOf(path, width), width == width_a ? shape_a : shape_b,
                                       width == width_b ? shape_b : shape_a});
    ForEachBlock(a_.recording.inputs(), std::max(width_a, width_b),
                 [&](int64_t sequence, int64_t first, int64_t count) {
                   const auto rows = [&](const RecordedSide& side, int64_t its_width) {
                     return its_width == width ? side.Rows(path, sequence, first, count)
                                               : ScoresOfChosen(side, path, sequence, first, count);
                   };
                   comparison.Add(rows(a_, width_a), rows(b_, width_b), sequence, first);
                 });
    if (!diff_.first && comparison.first()) {
      diff_.first = comparison.first();
      diff_.first->equal_before = static_cast<int64_t>(diff_.tensors.size());
    }
    diff_.tensors.push_back(comparison.distance());
    AddDecisions(path, width);
  }

 private:
  // Where one file has the scores of all experts and the other those of the chosen ones only: how
  // many these are; else 0.
  int64_t ChosenWidth(const std::string& scores, int64_t width_a, int64_t width_b) const {
    const RecordedSide& wider = width_a > width_b ? a_ : b_;
    const std::string chosen = scores.substr(0, scores.rfind('/')) + "/chosen";
    if (!wider.Has(chosen)) return 0;
    const int64_t width = CountOf(wider.RowShape(chosen));
    return width == std::min(width_a, width_b) ? width : 0;
  }

  std::string LettersOf(const std::string& path, int64_t width) const {
    if (path.ends_with("/scores")) {
      const std::string chosen = path.substr(0, path.rfind('/')) + "/chosen";
      return a_.Has(chosen) && CountOf(a_.RowShape(chosen)) != width ? "E" : "A";
    }
    const auto activation = FindActivation(path);
    return std::string(activation ? activation->letters : "HD");  // rope.t.2.q
  }

  void AddDecisions(const std::string& path, int64_t width) {
    const auto activation = FindActivation(path);
    if (path == "output/logits" && width > 0) AddArgmaxChanges(a_, b_, path, &diff_);
    if (IsInteger(path) && width > 0) {
      AddExpertChanges(a_, b_, path, activation ? activation->layer : 0, &diff_);
    }
  }

  const RecordedSide &a_, &b_;
  TraceDiff& diff_;
};

}  // namespace

double TensorDistance::largest_relative() const {
  if (largest_absolute == 0.0) return 0.0;
  return magnitude == 0.0 ? std::numeric_limits<double>::infinity() : largest_absolute / magnitude;
}

int64_t TraceDiff::elements() const {
  int64_t sum = 0;
  for (const TensorDistance& tensor : tensors) sum += tensor.elements;
  return sum;
}

bool TraceDiff::is_identical() const {
  if (elements() == 0 || !incomparable.empty()) return false;
  return std::all_of(tensors.begin(), tensors.end(), [](const TensorDistance& tensor) {
    return tensor.differ == 0 && tensor.dtype_a == tensor.dtype_b;
  });
}

TraceDiff DiffRecordings(const Recording& a, const RecordedRun& run_a, const Recording& b,
                         const RecordedRun& run_b,
                         const std::function<void(const std::string& path)>& progress) {
  RequireSameInputs(a, b);
  const RecordedSide side_a{a, run_a}, side_b{b, run_b};
  TraceDiff diff;
  diff.a = Describe(side_a);
  diff.b = Describe(side_b);
  diff.lengths = a.inputs().lengths;
  Differ differ(side_a, side_b, &diff);
  for (const std::string& path : run_a.paths) {
    if (!side_b.Has(path)) {
      diff.a.only_here.push_back(path);
      continue;
    }
    if (progress) progress(path);
    differ.Compare(path);
  }
  for (const std::string& path : run_b.paths) {
    if (!side_a.Has(path)) diff.b.only_here.push_back(path);
  }
  return diff;
}

}  // namespace touchstone::lab
