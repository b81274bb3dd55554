// Two recordings of one model on the same inputs, tensor by tensor in forward order: where they
// first part, how far apart they get, and which decisions changed.
//
// Two elements are equal where their values and signs are, and all NaNs are one value (N8); so -0
// and +0 differ, and tensors of one dtype are equal exactly where their bits are. Padding is not
// compared. Rows are read a block at a time: memory does not grow with the files.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "lab/recording/recording.h"
#include "reference/formats/dtype.h"

namespace touchstone::lab {

struct TensorDistance {
  std::string path;
  Dtype dtype_a = Dtype::kF32, dtype_b = Dtype::kF32;
  int64_t elements = 0;
  int64_t differ = 0;
  int64_t zero_signs = 0;  // of these, only in the sign of a zero
  int64_t tokens = 0;      // with an element that differs
  // Of A - B; infinite where one of the two is NaN or infinite. Expert numbers have no distance.
  double largest_absolute = 0.0;
  double magnitude = 0.0;  // the largest finite |element| of both
  std::string where;       // the largest difference: "b=0 t=17 h=3 d=5"

  double largest_relative() const;  // largest_absolute over magnitude
};

// The first element that differs, of the first tensor that does.
struct Divergence {
  std::string path, op, at;
  std::string a, b;          // hexadecimal, decimal and bits
  int64_t equal_before = 0;  // tensors before it, all equal
  bool is_zero_sign = false;
};

// What one token's router chose in A and no longer in B, and what instead. A margin is the logit of
// from[0] less that of to[0]; absent where a file has no logits of the router.
struct ExpertChange {
  int64_t layer = 0, sequence = 0, token = 0;
  std::vector<int64_t> from, to;
  std::optional<double> margin_a, margin_b;
};

// The largest logit's token, by rule N6; margins as above.
struct ArgmaxChange {
  int64_t sequence = 0, token = 0;
  int64_t from = 0, to = 0;
  double margin_a = 0.0, margin_b = 0.0;
};

struct DiffSide {
  std::string file, made_by, run;
  Dtype recipe = Dtype::kF32;
  bool is_trace = false;
  int64_t prefill = -1;
  std::vector<std::string> only_here;   // paths
  std::vector<std::string> other_runs;  // recorded, not compared
  std::vector<std::string> unknown;     // datasets that are no tensor of the text model
};

struct TraceDiff {
  DiffSide a, b;
  std::vector<int64_t> lengths;         // of the sequences
  std::vector<TensorDistance> tensors;  // compared, in forward order
  // Recorded in both, with different numbers of elements a token: path, and what was found.
  std::vector<std::pair<std::string, std::string>> incomparable;
  std::optional<Divergence> first;
  int64_t choices = 0;  // tokens times layers whose chosen experts both have
  int64_t expert_changes = 0;
  std::vector<ExpertChange> experts;  // the first kListed
  int64_t argmaxes = 0;               // tokens whose logits both have
  int64_t argmax_changes = 0;
  std::vector<ArgmaxChange> argmax;  // the first kListed

  static constexpr size_t kListed = 32;

  int64_t elements() const;
  // Every element of everything that could be compared, and every dtype.
  bool is_identical() const;
};

// `progress` is told each path. Throws BadFile, naming both files, where the inputs are not the
// same.
TraceDiff DiffRecordings(const Recording& a, const RecordedRun& run_a, const Recording& b,
                         const RecordedRun& run_b,
                         const std::function<void(const std::string& path)>& progress);

}  // namespace touchstone::lab
