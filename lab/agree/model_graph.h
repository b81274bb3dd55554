// Every tensor of a text model as a composition of the second references of the ops that lead to
// it from what was recorded, for one sequence. Nothing is computed before it is asked for, and
// nothing twice. No formula of an op stands here.
//
//   Known(path)     what the next op reads: the recorded tensor exactly; or, where none is, what is
//                   expected of it, passed through its rounding place
//   Expected(path)  the op that makes it, applied to Known inputs: before the last rounding
//
// Paths are those of reference/model/activation_paths.h. Tensors are flattened as
// exact::Exactly does it: (T, H, D) to T H rows of D.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "lab/agree/faults.h"
#include "lab/agree/roundings.h"
#include "reference/exact/second_reference.h"
#include "reference/model/text_config.h"
#include "reference/model/text_weights.h"

namespace touchstone::lab {

// One application of an op on the way from recorded tensors.
struct OpStep {
  std::string path;  // what it makes
  std::string op;    // a word of reference/ops.def; attention says its mask: "attention chunked"
};

struct Derived {
  exact::Enclosure real;            // empty for `chosen`
  exact::Choices choices;           // of `chosen` alone, (T, A)
  std::vector<OpStep> steps;        // since the recorded tensors, in order
  std::vector<std::string> starts;  // recorded tensors, and "ids" and "positions"
};

// The tensor that was recorded under a path, or nothing. `chosen` is (T, A), `scores` too.
using RecordedTensor = std::function<std::optional<Tensor>(const std::string& path)>;

struct GraphOptions {
  Dtype recipe = Dtype::kF32;
  Roundings roundings;
  Fault fault = Fault::kNone;
  int64_t prefill = -1;  // tokens given at once; for faults of decoding
  // In place of enclosures, the value of real arithmetic without any rounding place.
  bool real_arithmetic = false;
  int64_t image_token = -1;  // rows of these ids are not the embedding's
};

class ModelGraph {
 public:
  // `weights` must outlive the graph and give the recipe's storage.
  ModelGraph(const TextConfig& config, TextWeights* weights, std::vector<int64_t> ids,
             RecordedTensor recorded, GraphOptions options);

  const Derived& Known(const std::string& path);
  const Derived& Expected(const std::string& path);

  // Scores of all experts, (T, E): those of the chosen ones, and 0 for the others.
  exact::Enclosure ScoresOfAll(int64_t layer);

  const TextConfig& config() const { return config_; }
  int64_t tokens() const { return static_cast<int64_t>(ids_.size()); }
  // Forgets what was derived of layers before layer - 1, so that a walk in forward order holds two
  // layers. What is asked for again is derived again.
  void ForgetBefore(int64_t layer);
  // Known("output/logits"), walking so.
  const Derived& RunToLogits();

 private:
  using In = exact::Operands<exact::Enclosure>;
  using Rule = Derived (ModelGraph::*)(int64_t layer, const std::string& path);
  // The experts of all tokens, and the rows (t, a) that each of them computes.
  struct ExpertRows {
    std::map<int64_t, std::vector<int64_t>> rows;  // ascending
    std::vector<int64_t> open_tokens;              // whose experts are not certain
  };

  static const std::map<std::string, Rule>& Rules();
  Derived AfterPlace(const std::string& path, const Derived& expected) const;
  LayerRoundings RoundingsOf(int64_t layer) const;

  // The parts of an op's call.
  // Layer -1: of no layer.
  In Operands(int64_t layer) const;
  exact::Enclosure Apply(const std::string& op, const In& in, const char* output = "y") const;
  // A result made from Known tensors: their steps, and one more.
  Derived Joined(std::initializer_list<const Derived*> from, const std::string& path,
                 const std::string& op, exact::Enclosure real) const;

  const Derived& Stream(int64_t layer);
  const LayerWeights& WeightsOf(int64_t layer);  // held until another layer's are asked for
  std::string At(int64_t layer, const char* name) const;
  std::vector<int64_t> Positions() const;

  Derived Embedding(int64_t, const std::string& path);
  Derived Fused(int64_t, const std::string& path);
  Derived RopeTable(int64_t, const std::string& path);
  Derived Norm(int64_t layer, const std::string& path);
  Derived FinalNorm(int64_t, const std::string& path);
  Derived Logits(int64_t, const std::string& path);
  Derived Projection(int64_t layer, const std::string& path);
  Derived Rotated(int64_t layer, const std::string& path);
  Derived QkNormed(int64_t layer, const std::string& path);
  Derived Heated(int64_t layer, const std::string& path);
  Derived Heads(int64_t layer, const std::string& path);
  Derived AttentionOutput(int64_t layer, const std::string& path);
  Derived AttentionResidual(int64_t layer, const std::string& path);
  Derived RouterLogits(int64_t layer, const std::string& path);
  Derived Chosen(int64_t layer, const std::string& path);
  Derived Scores(int64_t layer, const std::string& path);
  Derived ExpertInput(int64_t layer, const std::string& path);
  Derived ExpertProjection(int64_t layer, const std::string& path);
  Derived Activation(int64_t layer, const std::string& path);
  Derived Routed(int64_t layer, const std::string& path);
  Derived DenseProjection(int64_t layer, const std::string& path);
  Derived FeedForwardOutput(int64_t layer, const std::string& path);
  Derived LayerOutput(int64_t layer, const std::string& path);

  ExpertRows RowsOfExperts(const Derived& chosen) const;
  exact::Matrix ExpertWeight(int64_t layer, int64_t expert, const std::string& name) const;
  exact::Enclosure SeenOneByOne(const In& in, int64_t chunk) const;

  TextConfig config_;
  TextWeights* weights_;
  std::vector<int64_t> ids_;
  RecordedTensor recorded_;
  GraphOptions options_;
  std::map<std::string, Derived> known_, expected_;
  std::shared_ptr<const LayerWeights> layer_weights_;
  int64_t weights_layer_ = -1;
};

// Whether a path is of a layer before layer - 1.
bool IsOfLayerBefore(const std::string& path, int64_t layer);
// The layer of a path; -1: none.
int64_t LayerOf(const std::string& path);

// The same elements in rows of `cols`.
exact::Enclosure InRowsOf(int64_t cols, const exact::Enclosure& x);

}  // namespace touchstone::lab
