#include "lab/agree/model_graph.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "reference/formats/require.h"
#include "reference/model/activation_paths.h"

namespace touchstone::lab {
namespace {

using exact::Enclosure;
using exact::Exactly;
using exact::Matrix;

void AddNew(const std::vector<OpStep>& more, std::vector<OpStep>* steps) {
  for (const OpStep& step : more) {
    const bool known = std::any_of(steps->begin(), steps->end(), [&](const OpStep& other) {
      return other.path == step.path && other.op == step.op;
    });
    if (!known) steps->push_back(step);
  }
}

void AddNew(const std::vector<std::string>& more, std::vector<std::string>* all) {
  for (const std::string& one : more) {
    if (std::find(all->begin(), all->end(), one) == all->end()) all->push_back(one);
  }
}

// "layer.03/attention/q" is layer 3 and "attention/q"; a path of no layer has layer -1.
struct PathParts {
  int64_t layer = -1;
  std::string name;
};

PathParts Split(const std::string& path) {
  if (!path.starts_with("layer.")) return {-1, path};
  const size_t slash = path.find('/');
  TOUCHSTONE_REQUIRE(slash != std::string::npos);
  return {std::stoll(path.substr(6, slash - 6)), path.substr(slash + 1)};
}

}  // namespace

Enclosure InRowsOf(int64_t cols, const Enclosure& x) {
  if (x.cols() == cols) return x;
  const int64_t size = x.rows() * x.cols();
  TOUCHSTONE_REQUIRE(cols > 0 && size % cols == 0);
  return exact::Gather(x, size / cols, cols, [cols](int64_t i, int64_t j) { return i * cols + j; });
}

ModelGraph::ModelGraph(const TextConfig& config, TextWeights* weights, std::vector<int64_t> ids,
                       RecordedTensor recorded, GraphOptions options)
    : config_(WithFault(config, options.fault)),
      weights_(weights),
      ids_(std::move(ids)),
      recorded_(std::move(recorded)),
      options_(std::move(options)) {
  TOUCHSTONE_REQUIRE(weights_->storage() == options_.recipe);
}

const std::map<std::string, ModelGraph::Rule>& ModelGraph::Rules() {
  static const std::map<std::string, Rule> kRules = {
      {"embedding", &ModelGraph::Embedding},
      {"fused_embedding", &ModelGraph::Fused},
      {"rope_table", &ModelGraph::RopeTable},
      {"final_norm", &ModelGraph::FinalNorm},
      {"output/logits", &ModelGraph::Logits},
      {"attention_norm", &ModelGraph::Norm},
      {"attention/q", &ModelGraph::Projection},
      {"attention/k", &ModelGraph::Projection},
      {"attention/v", &ModelGraph::Projection},
      {"attention/q_rope", &ModelGraph::Rotated},
      {"attention/k_rope", &ModelGraph::Rotated},
      {"attention/q_norm", &ModelGraph::QkNormed},
      {"attention/k_norm", &ModelGraph::QkNormed},
      {"attention/q_temperature", &ModelGraph::Heated},
      {"attention/heads", &ModelGraph::Heads},
      {"attention/output", &ModelGraph::AttentionOutput},
      {"attention_residual", &ModelGraph::AttentionResidual},
      {"feed_forward_norm", &ModelGraph::Norm},
      {"feed_forward/gate", &ModelGraph::DenseProjection},
      {"feed_forward/up", &ModelGraph::DenseProjection},
      {"feed_forward/activation", &ModelGraph::Activation},
      {"feed_forward/router_logits", &ModelGraph::RouterLogits},
      {"feed_forward/chosen", &ModelGraph::Chosen},
      {"feed_forward/scores", &ModelGraph::Scores},
      {"feed_forward/expert_input", &ModelGraph::ExpertInput},
      {"feed_forward/expert_gate", &ModelGraph::ExpertProjection},
      {"feed_forward/expert_up", &ModelGraph::ExpertProjection},
      {"feed_forward/expert_activation", &ModelGraph::Activation},
      {"feed_forward/expert_down", &ModelGraph::ExpertProjection},
      {"feed_forward/routed", &ModelGraph::Routed},
      {"feed_forward/shared_gate", &ModelGraph::DenseProjection},
      {"feed_forward/shared_up", &ModelGraph::DenseProjection},
      {"feed_forward/shared_activation", &ModelGraph::Activation},
      {"feed_forward/shared", &ModelGraph::DenseProjection},
      {"feed_forward/output", &ModelGraph::FeedForwardOutput},
      {"output", &ModelGraph::LayerOutput}};
  return kRules;
}

const Derived& ModelGraph::Expected(const std::string& path) {
  const auto found = expected_.find(path);
  if (found != expected_.end()) return found->second;
  const PathParts parts = Split(path);
  const auto rule = Rules().find(parts.name);
  TOUCHSTONE_REQUIRE(rule != Rules().end());
  Derived made = (this->*rule->second)(parts.layer, path);
  return expected_.emplace(path, std::move(made)).first->second;
}

const Derived& ModelGraph::Known(const std::string& path) {
  const auto found = known_.find(path);
  if (found != known_.end()) return found->second;
  Derived known;
  if (const std::optional<Tensor> tensor = recorded_(path)) {
    known.starts = {path};
    if (tensor->dtype == Dtype::kI64) {
      const int64_t* values = tensor->values<int64_t>();
      known.choices = exact::Certain(exact::Integers(values, values + tensor->count()));
    } else {
      known.real = Exactly(*tensor);
    }
  } else {
    known = AfterPlace(path, Expected(path));
  }
  return known_.emplace(path, std::move(known)).first->second;
}

Derived ModelGraph::AfterPlace(const std::string& path, const Derived& expected) const {
  Derived known = expected;
  if (!known.choices.empty()) {
    if (options_.real_arithmetic) {
      for (auto& accepted : known.choices) accepted.resize(1);
    }
    return known;
  }
  if (options_.real_arithmetic) {
    known.real = Exactly(expected.real.value);
    return known;
  }
  // Stored in binary32 at least; in bf16 the op's own enclosure has that rounding.
  const LayerRoundings roundings = RoundingsOf(Split(path).layer);
  const Dtype stored = path == "rope_table"               ? Dtype::kF32
                       : path.ends_with("/q_temperature") ? roundings.attention_storage
                                                          : options_.recipe;
  if (stored == Dtype::kF32) known.real = exact::Rounded(known.real);
  const auto place = PlaceOfPath(path);
  const bool left_out = place && roundings.left_out.contains(*place);
  known.real =
      exact::AtPlace(known.real, stored, left_out ? exact::Place::kOff : roundings.between);
  known.real.undecidable = known.real.undecidable || exact::MayOverflow(known.real);
  return known;
}

int64_t LayerOf(const std::string& path) { return Split(path).layer; }

bool IsOfLayerBefore(const std::string& path, int64_t layer) {
  const int64_t own = LayerOf(path);
  return own >= 0 && own < layer - 1;
}

void ModelGraph::ForgetBefore(int64_t layer) {
  const auto is_before = [layer](const auto& entry) { return IsOfLayerBefore(entry.first, layer); };
  std::erase_if(known_, is_before);
  std::erase_if(expected_, is_before);
}

const Derived& ModelGraph::RunToLogits() {
  const int64_t layers = static_cast<int64_t>(config_.layers.size());
  for (int64_t layer = 0; layer < layers; ++layer) {
    ForgetBefore(layer);
    Known(At(layer, "output"));
  }
  return Known("output/logits");
}

const LayerWeights& ModelGraph::WeightsOf(int64_t layer) {
  if (weights_layer_ != layer) {
    layer_weights_ = weights_->Layer(layer);
    weights_layer_ = layer;
  }
  return *layer_weights_;
}

// ---- the parts of an op's call ------------------------------------------------------------------

std::string ModelGraph::At(int64_t layer, const char* name) const {
  return LayerPath(layer) + "/" + name;
}

std::vector<int64_t> ModelGraph::Positions() const {
  std::vector<int64_t> positions(ids_.size());
  std::iota(positions.begin(), positions.end(), 0);
  return positions;
}

LayerRoundings ModelGraph::RoundingsOf(int64_t layer) const {
  const bool heated = layer >= 0 && HasTemperature(config_, layer);
  return options_.roundings.Of(heated, options_.recipe);
}

ModelGraph::In ModelGraph::Operands(int64_t layer) const {
  In in;
  in.storage = in.output = options_.recipe;
  in.places = RoundingsOf(layer).places;
  in.attributes = {{"eps", config_.rms_norm_eps},
                   {"floor_scale", config_.floor_scale},
                   {"attn_scale", config_.attn_scale},
                   {"rope_theta", config_.rope.theta},
                   {"llama3", config_.rope.llama3 ? 1.0 : 0.0},
                   {"factor", config_.rope.factor},
                   {"low_freq_factor", config_.rope.low},
                   {"high_freq_factor", config_.rope.high},
                   {"original_max_position_embeddings", config_.rope.original}};
  in.sizes = {{'T', tokens()},
              {'S', tokens()},
              {'C', config_.channels},
              {'H', config_.heads},
              {'G', config_.kv_heads},
              {'D', config_.head_width},
              {'J', config_.head_width / 2},
              {'A', config_.experts_a_token},
              {'E', config_.experts}};
  in.integers["positions"] = Positions();
  return in;
}

Enclosure ModelGraph::Apply(const std::string& op, const In& in, const char* output) const {
  exact::Results<Enclosure> out;
  exact::FindSecondReference(op).enclose(in, &out);
  return std::move(out.reals.at(output));
}

Derived ModelGraph::Joined(std::initializer_list<const Derived*> from, const std::string& path,
                           const std::string& op, Enclosure real) const {
  Derived joined;
  joined.real = std::move(real);
  for (const Derived* part : from) {
    AddNew(part->steps, &joined.steps);
    AddNew(part->starts, &joined.starts);
  }
  if (!op.empty()) AddNew(std::vector<OpStep>{{path, op}}, &joined.steps);
  return joined;
}

// ---- what enters, and what leaves ---------------------------------------------------------------

Derived ModelGraph::Embedding(int64_t, const std::string& path) {
  In in = Operands(-1);
  in.reals["table"] = Exactly(weights_->EmbeddingRows(ids_));
  in.integers["ids"] = Positions();  // the rows of the ids, in their order
  Derived made = Joined({}, path, "embedding", Apply("embedding", in, "h"));
  made.starts = {"ids"};
  if (options_.fault == Fault::kEmbeddingScaled) {
    const double scale = std::sqrt(static_cast<double>(config_.channels));
    made.real = exact::Multiply(made.real, Exactly(Matrix::Constant(1, 1, scale)));
  }
  return made;
}

// Nothing is known of image rows but what was recorded.
Derived ModelGraph::Fused(int64_t, const std::string& path) {
  const Derived& text = Known("embedding");
  Derived made = Joined({&text}, path, "", text.real);
  for (int64_t t = 0; t < tokens(); ++t) {
    if (ids_[static_cast<size_t>(t)] == options_.image_token) {
      made.real.undecidable.row(t).setConstant(true);
    }
  }
  return made;
}

const Derived& ModelGraph::Stream(int64_t layer) {
  if (layer > 0) return Known(At(layer - 1, "output"));
  if (options_.image_token < 0) return Known("embedding");
  const bool reversed = options_.fault == Fault::kImageRowsReversed;
  const bool doubled = options_.fault == Fault::kImageRowsDoubled;
  if (!reversed && !doubled && options_.fault != Fault::kImageRowsLeftOut) {
    return Known("fused_embedding");
  }
  const std::string key = "wrongly fused";
  if (const auto found = known_.find(key); found != known_.end()) return found->second;
  std::vector<int64_t> rows;
  for (int64_t t = 0; t < tokens(); ++t) {
    if (ids_[static_cast<size_t>(t)] == options_.image_token) rows.push_back(t);
  }
  const Derived fused = Known("fused_embedding");
  if (doubled) {
    Derived larger = fused;
    Matrix factor = Matrix::Constant(tokens(), 1, 1.0);
    for (const int64_t t : rows) factor(t, 0) = 2.0;
    larger.real = exact::Multiply(fused.real, Exactly(factor), 0.0);
    return known_.emplace(key, std::move(larger)).first->second;
  }
  if (!reversed) {
    Derived left_out = Known("embedding");
    return known_.emplace(key, std::move(left_out)).first->second;
  }
  std::vector<int64_t> source = Positions();
  for (size_t i = 0; i < rows.size(); ++i) {
    source[static_cast<size_t>(rows[i])] = rows[rows.size() - 1 - i];
  }
  Derived wrong = fused;
  wrong.real = exact::Gather(
      fused.real, fused.real.rows(), fused.real.cols(),
      [&](int64_t i, int64_t j) { return source[static_cast<size_t>(i)] * fused.real.cols() + j; });
  return known_.emplace(key, std::move(wrong)).first->second;
}

Derived ModelGraph::RopeTable(int64_t, const std::string& path) {
  In in = Operands(-1);
  const Enclosure f = Apply("rope_frequencies", in, "f");
  in.reals["f"] = options_.real_arithmetic ? f : exact::Rounded(f);
  for (int64_t& position : in.integers["positions"]) {
    const bool decoded = options_.prefill >= 0 && position >= options_.prefill;
    const bool shifted = options_.fault == Fault::kRopePositionsFromOne ||
                         (options_.fault == Fault::kDecodePositionsOffByOne && decoded);
    position += shifted ? 1 : 0;
  }
  Derived made = Joined({}, path, "rope_frequencies", {});
  AddNew(std::vector<OpStep>{{path, "rope_table"}}, &made.steps);
  made.real = Apply("rope_table", in, "table");
  made.starts = {"positions"};
  return made;
}

Derived ModelGraph::FinalNorm(int64_t layer, const std::string& path) { return Norm(layer, path); }

// Layer -1: the norm after the last layer.
Derived ModelGraph::Norm(int64_t layer, const std::string& path) {
  const bool of_attention = path.ends_with("/attention_norm");
  const Derived& x = layer < 0      ? Stream(static_cast<int64_t>(config_.layers.size()))
                     : of_attention ? Stream(layer)
                                    : Known(At(layer, "attention_residual"));
  Tensor weight;
  if (layer < 0) {
    weight = weights_->FinalNorm();
  } else {
    const LayerWeights& layer_weights = WeightsOf(layer);
    const bool swapped = options_.fault == Fault::kNormsSwapped;
    weight =
        of_attention != swapped ? layer_weights.attention_norm : layer_weights.feed_forward_norm;
  }
  In in = Operands(layer);
  in.reals["x"] = x.real;
  in.reals["weight"] = InRowsOf(config_.channels, Exactly(weight));
  const auto all = [](double v) { return Exactly(Matrix::Constant(1, 1, v)); };
  const double n = static_cast<double>(config_.channels);
  if (options_.fault == Fault::kNormWeightPlusOne) {
    in.reals["weight"] = exact::Add(in.reals["weight"], all(1.0), 0.0);
  } else if (options_.fault == Fault::kNormOverOneLess) {
    in.reals["x"] = exact::Multiply(x.real, all(std::sqrt(n / (n - 1.0))), 0.0);
    in.reals["weight"] = exact::Multiply(in.reals["weight"], all(std::sqrt((n - 1.0) / n)), 0.0);
  }
  return Joined({&x}, path, "rmsnorm", Apply("rmsnorm", in));
}

Derived ModelGraph::Logits(int64_t, const std::string& path) {
  constexpr int64_t kRowsAtOnce = 4096;
  const Derived& x = Known("final_norm");
  In in = Operands(-1);
  in.reals["x"] = x.real;
  const int64_t V = config_.vocabulary;
  Enclosure all{Matrix(tokens(), V), Matrix(tokens(), V), Matrix(tokens(), V),
                exact::Mask(tokens(), V)};
  for (int64_t first = 0; first < V; first += kRowsAtOnce) {
    const int64_t count = std::min(kRowsAtOnce, V - first);
    in.reals["weight"] = Exactly(weights_->LmHeadRows(first, count));
    const Enclosure some = Apply("logits", in);
    all.value.middleCols(first, count) = some.value;
    all.lower.middleCols(first, count) = some.lower;
    all.upper.middleCols(first, count) = some.upper;
    all.undecidable.middleCols(first, count) = some.undecidable;
  }
  return Joined({&x}, path, "logits", std::move(all));
}

}  // namespace touchstone::lab
