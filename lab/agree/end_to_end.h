// A whole run in real arithmetic, from the ids to the logits, along the experts that were recorded:
// no bound exists for a chain so long, but its choices can be judged, and its distance be compared
// with that of our own reference.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "lab/agree/model_graph.h"
#include "lab/agree/segment_judge.h"

namespace touchstone::lab {

// Real arithmetic would have chosen another expert.
struct OtherChoice {
  int64_t sequence = 0, layer = 0, token = 0;
  int64_t recorded = 0, real = 0;  // experts
  // How much larger the logit of `real` is, and how far the recorded computation's two logits may
  // be, or are, from the real ones.
  double margin = 0.0, bound = 0.0;

  // The bound is a sum of distances that equal the margin where the recorded logits are equal;
  // 2^-48 of them covers the roundings of both.
  bool Disagrees() const { return margin > bound * (1.0 + 0x1p-48) + 0x1p-48 * size; }
  double size = 0.0;  // of the logits
};

struct Distance {
  double largest = 0.0, root_mean_square = 0.0;
  double largest_logit = 0.0;  // of real arithmetic
  double logits = 0.0;         // root mean square of real arithmetic's
  int64_t tokens = 0, same_top = 0;

  void Join(const Distance& other);
};

// An end result that no segment reaches, against real arithmetic under a fault.
struct EndResultUnder {
  Fault fault = Fault::kNone;
  double distance = 0.0;  // root mean square
};

struct EndToEnd {
  bool ran = false;  // logits were recorded, or a choice
  bool has_logits = false;
  Distance recorded, ours;  // from real arithmetic
  bool has_ours = false;
  int64_t choices = 0;  // that were looked at
  std::vector<OtherChoice> others;
  // No segment reaches all of the logits.
  bool end_result_alone = false;
  std::vector<EndResultUnder> under;  // the right model first

  // The fault that explains the end result at least kNearer times better than the right model.
  static constexpr double kNearer = 3.0;
  Fault Cause() const;

  // Root mean square distance of logits of the same file whose segments agree; 0: it has none. The
  // yardstick is that or our own, whichever is larger. An end result that no segment reaches is
  // wrong, explained or not, where it is nearly as far as zeros would be; in f32 where it is
  // kFarther times as far as the yardstick. Conventions, not bounds: a wrong mask or position moves
  // f32 logits by thousands of times the rounding errors. In bf16 one expert that flips in a right
  // run has moved them by 9 times, too.
  static constexpr double kGarbage = 0.9;
  bool in_f32 = false;
  double yardstick = 0.0;
  double Yardstick() const;
  static constexpr double kFarther = 8.0;
  bool IsFarFromAll() const;
  bool Agrees() const;
};

Distance DistanceBetween(const Tensor& logits, const exact::Matrix& real);

}  // namespace touchstone::lab
