// Every recorded tensor of one run against what its segment allows: the shortest composition of
// ops that leads to it from other recorded tensors (lab/agree/model_graph.h).
//
// A segment whose bound has grown past its tensor's largest value says nothing of an element that
// lies within the bound: it is not counted as compared, and where that is so of all, the tensor is
// NOT RUN: no recorded tensor is near enough. Outside its bound an element is always wrong.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "lab/agree/model_graph.h"
#include "lab/judge.h"
#include "lab/recording/recording.h"

namespace touchstone::lab {

// One sequence of one run as a graph reads it: tensors are read once, and scores that were recorded
// of all experts are those of the chosen ones.
class RecordedSequence {
 public:
  RecordedSequence(const Recording& recording, const RecordedRun& run, int64_t sequence,
                   const TextConfig& config);

  std::optional<Tensor> Find(const std::string& path);
  const Tensor& Raw(const std::string& path);  // as it was recorded
  std::string DatasetOf(const std::string& path) const;
  // Scores of a layer were recorded for all experts; `chosen` was found from scores.
  bool HasScoresOfAll(const std::string& scores_path);
  bool FoundChosenInScores(const std::string& chosen_path) const;

  // Forgets what was read of layers before layer - 1.
  void ForgetBefore(int64_t layer);

  const std::vector<int64_t>& ids() const { return ids_; }
  const RecordedRun& run() const { return run_; }

 private:
  std::optional<Tensor> FusedOfAnyRun();

  const Recording& recording_;
  const RecordedRun& run_;
  int64_t sequence_;
  const TextConfig& config_;
  std::vector<int64_t> ids_;
  std::map<std::string, Tensor> raw_, found_;
};

struct SegmentResult {
  std::string path, dataset;
  std::string kind;                 // its ops: "linear", "dispatch+expert_linear+...+combine"
  std::vector<OpStep> steps;        // the same, each with what it makes
  std::vector<std::string> starts;  // recorded tensors, "ids", "positions"
  Comparison comparison;
  int64_t ties = 0;  // tokens at equal largest logits, where any index is agreement

  bool SaysNothing() const { return comparison.compared == 0 && comparison.outside == 0; }
  bool Agrees() const { return comparison.Passed(); }
  void Join(const SegmentResult& other);
};

// The letters of a path's extents, "TGD".
std::string DimsOf(const std::string& path);

// One recorded tensor of one sequence.
SegmentResult JudgeSegment(const std::string& path, ModelGraph* graph, RecordedSequence* recorded);

// Elements of `expected` whose bound is larger than all that it holds are made undecidable.
void GiveUpWideElements(exact::Enclosure* expected);

}  // namespace touchstone::lab
