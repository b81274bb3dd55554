// The feed-forward half of a layer. Experts' tensors have a row for every token and every expert
// that it chose, (t, a), in the order of its choices; an op is called for one expert at a time,
// with the rows that chose it.
#include <algorithm>
#include <cmath>

#include "lab/agree/model_graph.h"
#include "reference/formats/require.h"

namespace touchstone::lab {
namespace {

using exact::Enclosure;
using exact::Exactly;
using exact::Matrix;

// A weight that is stored input-major, in rows of its inputs.
Matrix Transposed(const Tensor& weight) {
  const int64_t rows = weight.shape.at(0), cols = weight.shape.at(1);
  Matrix y(cols, rows);
  for (int64_t i = 0; i < rows; ++i) {
    for (int64_t j = 0; j < cols; ++j) y(j, i) = weight.Real(i * cols + j);
  }
  return y;
}

Enclosure RowsOf(const Enclosure& x, const std::vector<int64_t>& rows) {
  return exact::Gather(x, static_cast<int64_t>(rows.size()), x.cols(), [&](int64_t i, int64_t j) {
    return rows[static_cast<size_t>(i)] * x.cols() + j;
  });
}

void PutRows(const Enclosure& some, const std::vector<int64_t>& rows, Enclosure* all) {
  for (size_t i = 0; i < rows.size(); ++i) {
    const int64_t from = static_cast<int64_t>(i);
    all->value.row(rows[i]) = some.value.row(from);
    all->lower.row(rows[i]) = some.lower.row(from);
    all->upper.row(rows[i]) = some.upper.row(from);
    all->undecidable.row(rows[i]) = some.undecidable.row(from);
  }
}

bool IsFaultOfScores(Fault fault) {
  return fault == Fault::kRouterSoftmax || fault == Fault::kSoftmaxOfChosen ||
         fault == Fault::kScoresNormalised;
}

// Of one token: its logits, and the A experts that it chose.
std::vector<double> WrongScores(Fault fault, const Matrix& logits,
                                const std::vector<int64_t>* chosen, int64_t A) {
  const double top = logits.maxCoeff();
  std::vector<double> scores;
  double sum_of_chosen = 0.0;
  for (int64_t a = 0; a < A; ++a) {
    const double v = logits(0, chosen[a].front());
    scores.push_back(fault == Fault::kScoresNormalised ? 1.0 / (1.0 + std::exp(-v))
                                                       : std::exp(v - top));
    sum_of_chosen += scores.back();
  }
  const double sum = fault == Fault::kRouterSoftmax ? (logits - top).exp().sum() : sum_of_chosen;
  for (double& score : scores) score /= sum;
  return scores;
}

}  // namespace

Derived ModelGraph::DenseProjection(int64_t layer, const std::string& path) {
  const bool is_shared = config_.layers[static_cast<size_t>(layer)].is_moe;
  const bool is_down = path.ends_with("/shared");
  const bool gets_score = is_shared && options_.fault == Fault::kSharedGetsScore;
  const Derived& x = is_down      ? Known(At(layer, "feed_forward/shared_activation"))
                     : gets_score ? Known(At(layer, "feed_forward/expert_input"))
                                  : Known(At(layer, "feed_forward_norm"));
  const LayerWeights& weights = WeightsOf(layer);
  bool is_gate = path.ends_with("gate");
  if (options_.fault == Fault::kGateAndUpWeightsSwapped) is_gate = !is_gate;
  In in = Operands(layer);
  in.reals["x"] = x.real;
  if (!is_down && gets_score) {  // of the best expert
    std::vector<int64_t> best;
    for (int64_t t = 0; t < tokens(); ++t) best.push_back(t * config_.experts_a_token);
    in.reals["x"] = RowsOf(x.real, best);
  }
  in.reals["weight"] = Exactly(is_down ? weights.down : is_gate ? weights.gate : weights.up);
  return Joined({&x}, path, "linear", Apply("linear", in));
}

// SwiGLU of a dense layer, of the shared expert, or of the chosen ones.
Derived ModelGraph::Activation(int64_t layer, const std::string& path) {
  const std::string stem = path.substr(0, path.size() - std::string("activation").size());
  const Derived* gate = &Known(stem + "gate");
  const Derived* up = &Known(stem + "up");
  if (options_.fault == Fault::kGateAndUpSwapped) std::swap(gate, up);
  In in = Operands(layer);
  in.reals["gate"] = gate->real;
  in.reals["up"] = up->real;
  return Joined(
      {gate, up}, path, "swiglu",
      options_.fault == Fault::kGelu ? GeluTimes(gate->real, up->real) : Apply("swiglu", in));
}

// ---- router -------------------------------------------------------------------------------------

Derived ModelGraph::RouterLogits(int64_t layer, const std::string& path) {
  const Derived& x = Known(At(layer, "feed_forward_norm"));
  In in = Operands(layer);
  in.reals["x"] = x.real;
  in.reals["weight"] = Exactly(WeightsOf(layer).router);
  return Joined({&x}, path, "linear", Apply("linear", in));
}

Derived ModelGraph::Chosen(int64_t layer, const std::string& path) {
  const Derived& logits = Known(At(layer, "feed_forward/router_logits"));
  In in = Operands(layer);
  in.reals["logits"] = logits.real;
  const int64_t A = config_.experts_a_token;
  const bool next = options_.fault == Fault::kSecondBestExpert && A < config_.experts;
  if (next) in.sizes['A'] = A + 1;
  exact::Results<Enclosure> out;
  exact::FindSecondReference("router").enclose(in, &out);
  Derived made = Joined({&logits}, path, "router", {});
  made.choices = std::move(out.choices.at("chosen"));
  if (next) {
    exact::Choices later;
    for (size_t i = 0; i < made.choices.size(); ++i) {
      if (i % static_cast<size_t>(A + 1) != 0) later.push_back(made.choices[i]);
    }
    made.choices = std::move(later);
  }
  return made;
}

Derived ModelGraph::Scores(int64_t layer, const std::string& path) {
  const Derived& logits = Known(At(layer, "feed_forward/router_logits"));
  const Derived& chosen = Known(At(layer, "feed_forward/chosen"));
  const int64_t A = config_.experts_a_token, E = config_.experts;
  // The score of one expert is that of a router with this expert alone; where several may have been
  // chosen, their rows are open.
  In in = Operands(layer);
  in.sizes['T'] = tokens() * A;
  in.sizes['A'] = in.sizes['E'] = 1;
  in.reals["logits"] = exact::Gather(logits.real, tokens() * A, 1, [&](int64_t i, int64_t) {
    return i / A * E + chosen.choices.at(static_cast<size_t>(i)).front();
  });
  Enclosure scores = Apply("router", in, "scores");
  if (IsFaultOfScores(options_.fault)) {
    for (int64_t t = 0; t < tokens(); ++t) {
      const double width = (logits.real.upper.row(t) - logits.real.lower.row(t)).maxCoeff();
      const auto wrong = WrongScores(options_.fault, logits.real.value.row(t),
                                     &chosen.choices.at(static_cast<size_t>(t * A)), A);
      for (int64_t a = 0; a < A; ++a) {
        // In bf16 their quotient may be one of rounded numbers.
        const double rounded = options_.recipe == Dtype::kBf16 ? 0x1p-7 : 64.0 * exact::kUnit;
        const double score = wrong[static_cast<size_t>(a)], error = width + rounded;
        scores.value(t * A + a, 0) = score;
        scores.lower(t * A + a, 0) = score * (1.0 - error);
        scores.upper(t * A + a, 0) = score * (1.0 + error);
      }
    }
  }
  for (size_t i = 0; i < chosen.choices.size(); ++i) {
    if (chosen.choices[i].size() > 1) scores.undecidable(static_cast<int64_t>(i), 0) = true;
  }
  return Joined({&logits, &chosen}, path, "router", InRowsOf(A, scores));
}

Enclosure ModelGraph::ScoresOfAll(int64_t layer) {
  const int64_t A = config_.experts_a_token, E = config_.experts;
  Enclosure all = Exactly(Matrix::Zero(tokens(), E));
  if (options_.fault == Fault::kScoresOfAllExperts) {
    In in = Operands(layer);
    in.sizes['T'] = tokens() * E;
    in.sizes['A'] = in.sizes['E'] = 1;
    in.reals["logits"] = InRowsOf(1, Known(At(layer, "feed_forward/router_logits")).real);
    return InRowsOf(E, Apply("router", in, "scores"));
  }
  const Enclosure of_chosen = Expected(At(layer, "feed_forward/scores")).real;
  const exact::Choices& chosen = Known(At(layer, "feed_forward/chosen")).choices;
  for (int64_t i = 0; i < tokens() * A; ++i) {
    const int64_t t = i / A, e = chosen.at(static_cast<size_t>(i)).front();
    all.value(t, e) = of_chosen.value.data()[i];
    all.lower(t, e) = of_chosen.lower.data()[i];
    all.upper(t, e) = of_chosen.upper.data()[i];
    if (of_chosen.undecidable.data()[i]) all.undecidable.row(t).setConstant(true);
  }
  return all;
}

// ---- experts ------------------------------------------------------------------------------------

ModelGraph::ExpertRows ModelGraph::RowsOfExperts(const Derived& chosen) const {
  ExpertRows result;
  for (size_t i = 0; i < chosen.choices.size(); ++i) {
    const int64_t row = static_cast<int64_t>(i);
    result.rows[chosen.choices[i].front()].push_back(row);
    if (chosen.choices[i].size() > 1) result.open_tokens.push_back(row / config_.experts_a_token);
  }
  return result;
}

// x * score, by op dispatch, whose rows are sorted by expert.
Derived ModelGraph::ExpertInput(int64_t layer, const std::string& path) {
  const Derived& x = Known(At(layer, "feed_forward_norm"));
  const Derived& scores = Known(At(layer, "feed_forward/scores"));
  const Derived& chosen = Known(At(layer, "feed_forward/chosen"));
  const int64_t A = config_.experts_a_token, rows = tokens() * A;
  const ExpertRows experts = RowsOfExperts(chosen);
  In in = Operands(layer);
  in.reals["x"] = x.real;
  const bool unscaled =
      options_.fault == Fault::kScoreOnOutput || options_.fault == Fault::kScoreLeftOut;
  in.reals["scores"] =
      unscaled ? Exactly(Matrix::Constant(tokens(), A, 1.0)) : InRowsOf(A, scores.real);
  for (const auto& accepted : chosen.choices) in.integers["chosen"].push_back(accepted.front());
  const Enclosure sorted = Apply("dispatch", in, "rows");

  Enclosure y = Exactly(Matrix::Zero(rows, config_.channels));
  int64_t first = 0;
  for (const auto& [expert, mine] : experts.rows) {
    std::vector<int64_t> from(mine.size());
    for (size_t i = 0; i < from.size(); ++i) from[i] = first + static_cast<int64_t>(i);
    PutRows(RowsOf(sorted, from), mine, &y);
    first += static_cast<int64_t>(mine.size());
  }
  for (const int64_t t : experts.open_tokens) {
    y.undecidable.middleRows(t * A, A).setConstant(true);
  }
  return Joined({&x, &scores, &chosen}, path, "dispatch", std::move(y));
}

// The three matrices of an expert as op expert_linear reads them, (outputs, inputs).
Matrix ModelGraph::ExpertWeight(int64_t layer, int64_t expert, const std::string& name) const {
  const int64_t E = config_.experts;
  if (options_.fault == Fault::kNeighboursWeights) expert = (expert + E - 1) % E;
  const auto weights = weights_->Expert(layer, expert);
  if (name == "down") return Transposed(weights->down);
  const bool swapped = options_.fault == Fault::kGateAndUpWeightsSwapped;
  const bool is_gate = (name == "gate") != swapped;
  if (options_.fault != Fault::kGateAndUpInterleaved) {
    return Transposed(is_gate ? weights->gate : weights->up);
  }
  // Even columns of gate | up are taken for the gate, odd ones for up.
  const Matrix gate = Transposed(weights->gate), up = Transposed(weights->up);
  Matrix both(2 * gate.rows(), gate.cols()), y(gate.rows(), gate.cols());
  both << gate, up;
  for (int64_t f = 0; f < y.rows(); ++f) y.row(f) = both.row(2 * f + (is_gate ? 0 : 1));
  return y;
}

Derived ModelGraph::ExpertProjection(int64_t layer, const std::string& path) {
  const std::string name = path.substr(path.rfind("expert_") + std::string("expert_").size());
  const bool is_down = name == "down";
  const Derived& x =
      Known(At(layer, is_down ? "feed_forward/expert_activation" : "feed_forward/expert_input"));
  const Derived& chosen = Known(At(layer, "feed_forward/chosen"));
  const ExpertRows experts = RowsOfExperts(chosen);
  const int64_t width = is_down ? config_.channels : config_.expert_width;
  Enclosure y = Exactly(Matrix::Zero(tokens() * config_.experts_a_token, width));
  for (const auto& [expert, mine] : experts.rows) {
    In in = Operands(layer);
    in.reals["x"] = RowsOf(x.real, mine);
    in.reals["weight"] = Exactly(ExpertWeight(layer, expert, name));
    in.sizes['E'] = 1;
    in.sizes['F'] = width;
    in.integers["offsets"] = {0, static_cast<int64_t>(mine.size())};
    PutRows(Apply("expert_linear", in), mine, &y);
  }
  for (const int64_t t : experts.open_tokens) {
    const int64_t A = config_.experts_a_token;
    y.undecidable.middleRows(t * A, A).setConstant(true);
  }
  Derived made = Joined({&x, &chosen}, path, "expert_linear", std::move(y));
  if (is_down && options_.fault == Fault::kScoreOnOutput) {
    const Derived& scores = Known(At(layer, "feed_forward/scores"));
    made.real = exact::Multiply(made.real, InRowsOf(1, scores.real));
  }
  return made;
}

Derived ModelGraph::Routed(int64_t layer, const std::string& path) {
  const Derived& down = Known(At(layer, "feed_forward/expert_down"));
  const Derived& chosen = Known(At(layer, "feed_forward/chosen"));
  In in = Operands(layer);
  in.reals["rows"] = down.real;
  for (int64_t i = 0; i < down.real.rows(); ++i) {
    in.integers["row_token"].push_back(i / config_.experts_a_token);
  }
  return Joined({&down, &chosen}, path, "combine", Apply("combine", in));
}

// ---- sums ---------------------------------------------------------------------------------------

namespace {

// Shared + expert + expert + ..., in any order, as Meta's code adds the experts of a token: one sum
// of A + 1 numbers, in which no rounded sum of the experts alone occurs. A roundings of partial
// sums, each at most as large as all sizes together.
Enclosure OneByOne(const Enclosure& shared, const Enclosure& experts, int64_t A) {
  const auto sizes = [](const Enclosure& x) { return x.lower.abs().max(x.upper.abs()).eval(); };
  Enclosure sum = shared;
  Matrix size = sizes(shared);
  for (int64_t a = 0; a < A; ++a) {
    const Enclosure expert =
        exact::Gather(experts, shared.rows(), shared.cols(),
                      [&](int64_t t, int64_t c) { return (t * A + a) * shared.cols() + c; });
    sum.value += expert.value;
    sum.lower += expert.lower;
    sum.upper += expert.upper;
    sum.undecidable = sum.undecidable || expert.undecidable;
    size += sizes(expert);
  }
  const Matrix error = static_cast<double>(A) * (exact::kUnit * size + exact::kSubnormal);
  sum.lower -= error;
  sum.upper += error;
  return sum;
}

}  // namespace

Derived ModelGraph::FeedForwardOutput(int64_t layer, const std::string& path) {
  In in = Operands(layer);
  if (!config_.layers[static_cast<size_t>(layer)].is_moe) {
    const Derived& x = Known(At(layer, "feed_forward/activation"));
    in.reals["x"] = x.real;
    in.reals["weight"] = Exactly(WeightsOf(layer).down);
    return Joined({&x}, path, "linear", Apply("linear", in));
  }
  const Derived& routed = Known(At(layer, "feed_forward/routed"));
  if (options_.fault == Fault::kSharedLeftOut) return routed;
  const Derived& shared = Known(At(layer, "feed_forward/shared"));
  in.reals["a"] = shared.real;
  in.reals["b"] = routed.real;
  const int64_t A = config_.experts_a_token;
  if (A == 1 || options_.recipe != Dtype::kF32) {
    return Joined({&shared, &routed}, path, "residual_add", Apply("residual_add", in));
  }
  const Derived& down = Known(At(layer, "feed_forward/expert_down"));
  const Enclosure y = exact::Hull(Apply("residual_add", in), OneByOne(shared.real, down.real, A));
  return Joined({&shared, &routed, &down}, path, "residual_add", y);
}

Derived ModelGraph::LayerOutput(int64_t layer, const std::string& path) {
  const Derived& h = Known(At(layer, "attention_residual"));
  const Derived& f = Known(At(layer, "feed_forward/output"));
  In in = Operands(layer);
  in.reals["a"] = h.real;
  in.reals["b"] = f.real;
  return Joined({&h, &f}, path, "residual_add", Apply("residual_add", in));
}

}  // namespace touchstone::lab
