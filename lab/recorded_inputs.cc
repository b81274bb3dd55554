#include "lab/recorded_inputs.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <memory>
#include <mutex>
#include <string_view>
#include <utility>

#include "golden/hdf5_file.h"
#include "lab/errors.h"
#include "lab/model/golden_models.h"
#include "lab/recording/activation.h"
#include "lab/recording/recording.h"
#include "lab/repository.h"
#include "reference/checkpoint/text_weights.h"
#include "reference/ops/rope_frequencies/rope_frequencies.h"

namespace touchstone::lab {
namespace {

constexpr char kModel[] = "scout-bytes";

// The model's run in one recipe. Weights are read a piece at a time, by one thread at a time.
struct Recorded {
  TextConfig config;
  std::vector<int64_t> ids;
  std::map<std::string, Tensor> activations;  // (1, T, ...)
  std::unique_ptr<TextWeights> weights;
  std::mutex reads_weights;
};

void Load(Dtype recipe, Recorded* recorded) {
  const std::string root = RepositoryRoot();
  const std::string folder = fmt::format("{}/golden/models/{}", root, kModel);
  const std::string input_file = folder + "/input.h5";
  checkpoint::TextModelFolder opened = checkpoint::OpenTextModel(folder, recipe);
  recorded->config = opened.config.text;
  recorded->weights = std::move(opened.weights);
  const golden::Reader reader(input_file);
  recorded->ids = ReadTextInputs(reader, input_file, recorded->config.vocabulary).ids_of(0);
  recorded->activations = ModelActivations(root, kModel, recipe, 0, 1);
}

Recorded& Of(Dtype recipe) {
  static Recorded recorded[2];
  static std::once_flag loaded[2];
  const size_t which = recipe == Dtype::kF32 ? 0 : 1;
  std::call_once(loaded[which], [&] { Load(recipe, &recorded[which]); });
  return recorded[which];
}

// "layer.02/q" is layer 2 and "q".
std::pair<int64_t, std::string> LayerAndName(std::string_view text) {
  const size_t slash = text.find('/');
  if (!text.starts_with("layer.") || slash == std::string_view::npos) {
    throw UsageError(fmt::format("'{}' names no layer", text));
  }
  const auto layer = ParseIndex(text.substr(6, slash - 6));
  if (!layer) throw UsageError(fmt::format("'{}' names no layer", text));
  return {*layer, std::string(text.substr(slash + 1))};
}

// Experts of a checkpoint are input-major, those of the op output-major.
Tensor ExpertsOf(const TextConfig& config, TextWeights* weights, int64_t layer,
                 const std::string& name) {
  Tensor all;
  for (int64_t e = 0; e < config.experts; ++e) {
    const auto expert = weights->Expert(layer, e);
    const Tensor& one = name == "gate" ? expert->gate : name == "up" ? expert->up : expert->down;
    const int64_t inputs = one.shape[0], outputs = one.shape[1];
    if (e == 0) all = Tensor(one.dtype, {config.experts, outputs, inputs});
    for (int64_t i = 0; i < inputs; ++i) {
      for (int64_t o = 0; o < outputs; ++o) {
        all.SetReal((e * outputs + o) * inputs + i, static_cast<float>(one.Real(i * outputs + o)));
      }
    }
  }
  return all;
}

Tensor WeightOf(Recorded* recorded, const std::string& source) {
  const std::lock_guard<std::mutex> lock(recorded->reads_weights);
  TextWeights* weights = recorded->weights.get();
  if (source == "final_norm") return weights->FinalNorm();
  if (source == "lm_head") return weights->LmHeadRows(0, recorded->config.vocabulary);
  if (source == "embedding") {
    std::vector<int64_t> all;
    for (int64_t v = 0; v < recorded->config.vocabulary; ++v) all.push_back(v);
    return weights->EmbeddingRows(all);
  }
  const auto [layer, name] = LayerAndName(source);
  if (name.starts_with("experts/")) {
    return ExpertsOf(recorded->config, weights, layer, name.substr(8));
  }
  const std::shared_ptr<const LayerWeights> of_layer = weights->Layer(layer);
  const std::map<std::string, const Tensor*> names = {
      {"attention_norm", &of_layer->attention_norm},
      {"q", &of_layer->q},
      {"k", &of_layer->k},
      {"v", &of_layer->v},
      {"o", &of_layer->o},
      {"feed_forward_norm", &of_layer->feed_forward_norm},
      {"router", &of_layer->router},
      {"gate", &of_layer->gate},
      {"up", &of_layer->up},
      {"down", &of_layer->down}};
  const auto found = names.find(name);
  if (found == names.end()) throw UsageError(fmt::format("no weight '{}'", source));
  return *found->second;
}

// Rows [first, first + count) of the second axis of (1, T, ...), as (count, ...).
Tensor RowsOf(const Tensor& whole, int64_t first, int64_t count) {
  std::vector<int64_t> shape(whole.shape.begin() + 1, whole.shape.end());
  const size_t row = whole.data.size() / static_cast<size_t>(shape.front());
  shape.front() = count;
  Tensor rows(whole.dtype, shape);
  const auto begin = whole.data.begin() + first * static_cast<std::ptrdiff_t>(row);
  std::copy(begin, begin + count * static_cast<std::ptrdiff_t>(row), rows.data.begin());
  return rows;
}

const Tensor& ActivationOf(const Recorded& recorded, const std::string& path) {
  const auto found = recorded.activations.find(path);
  if (found == recorded.activations.end()) {
    throw UsageError(fmt::format("model {} has no activation '{}'", kModel, path));
  }
  return found->second;
}

// The first of the `count` tokens that a case takes.
int64_t FirstToken(const Case& c, const Recorded& recorded, int64_t count) {
  const int64_t all = static_cast<int64_t>(recorded.ids.size());
  const int64_t first = all - count * static_cast<int64_t>(std::min<uint64_t>(c.seed, 1 << 20));
  if (first < 0) {
    throw UsageError(
        fmt::format("{}: the text of model {} has {} tokens, and the case asks for "
                    "others",
                    c.Name(), kModel, all));
  }
  return first;
}

// Rows in ascending order of (expert, token).
Tensor SortedOf(const Case& c, const Recorded& recorded, const std::string& path) {
  const std::string folder = path.substr(0, path.rfind('/') + 1);
  const int64_t A = recorded.config.experts_a_token, E = recorded.config.experts;
  const int64_t T = c.size('R') / A, first = FirstToken(c, recorded, T);
  const Tensor chosen = RowsOf(ActivationOf(recorded, folder + "chosen"), first, T);
  std::vector<std::pair<int64_t, int64_t>> order;  // expert, place among the tokens' choices
  for (int64_t i = 0; i < T * A; ++i) order.emplace_back(chosen.values<int64_t>()[i], i);
  std::sort(order.begin(), order.end());

  const std::string name = path.substr(folder.size());
  if (name == "offsets") {
    Tensor offsets(Dtype::kI64, {E + 1});
    for (const auto& [expert, place] : order) {
      for (int64_t e = expert + 1; e <= E; ++e) ++offsets.values<int64_t>()[e];
    }
    return offsets;
  }
  if (name == "row_token") {
    Tensor tokens(Dtype::kI64, {T * A});
    for (size_t r = 0; r < order.size(); ++r) {
      tokens.values<int64_t>()[r] = order[r].second / A;
    }
    return tokens;
  }
  const Tensor by_token = RowsOf(ActivationOf(recorded, path), first, T);
  Tensor rows(by_token.dtype, {T * A, by_token.shape.back()});
  const size_t row = rows.data.size() / static_cast<size_t>(std::max<int64_t>(T * A, 1));
  for (size_t r = 0; r < order.size(); ++r) {
    std::copy_n(by_token.data.begin() + order[r].second * static_cast<std::ptrdiff_t>(row), row,
                rows.data.begin() + static_cast<std::ptrdiff_t>(r * row));
  }
  return rows;
}

Tensor FrequenciesOf(const TextConfig& config) {
  const TextRope& rope = config.rope;
  const RopeScaling scaling{rope.llama3, static_cast<float>(rope.factor),
                            static_cast<float>(rope.low), static_cast<float>(rope.high),
                            static_cast<float>(rope.original)};
  Tensor f(Dtype::kF32, {config.head_width / 2});
  RopeFrequencies(static_cast<float>(rope.theta), scaling, f.As<float, 'J'>());
  return f;
}

Tensor IntegersOf(const Case& c, const Recorded& recorded, int64_t count, bool ids) {
  Tensor tensor(Dtype::kI64, {count});
  const int64_t first = FirstToken(c, recorded, count);
  for (int64_t t = 0; t < count; ++t) {
    tensor.values<int64_t>()[t] = ids ? recorded.ids[static_cast<size_t>(first + t)] : first + t;
  }
  return tensor;
}

Tensor ValueOf(const Case& c, const Argument& argument, const std::string& source,
               const std::vector<int64_t>& shape) {
  Recorded& recorded = Of(c.recipe);
  const std::string_view weights = "weights/", sorted = "sorted/";
  if (source == "ids" || source == "positions") {
    return IntegersOf(c, recorded, shape.at(0), source == "ids");
  }
  if (source == "frequencies") return FrequenciesOf(recorded.config);
  if (source.starts_with(weights)) return WeightOf(&recorded, source.substr(weights.size()));
  if (source.starts_with(sorted)) return SortedOf(c, recorded, source.substr(sorted.size()));

  const bool cached = argument.dims.starts_with('S');
  const int64_t count = shape.at(0);
  const int64_t first = cached ? 0 : FirstToken(c, recorded, count);
  if (count > static_cast<int64_t>(recorded.ids.size())) FirstToken(c, recorded, count);
  Tensor rows = RowsOf(ActivationOf(recorded, source), first, count);
  if (cached && argument.role == Role::kInOut) {
    const size_t kept =
        rows.data.size() / static_cast<size_t>(count) * static_cast<size_t>(c.attribute("first"));
    std::fill(rows.data.begin() + static_cast<std::ptrdiff_t>(std::min(kept, rows.data.size())),
              rows.data.end(), std::byte{0});
  }
  return rows;
}

}  // namespace

void FillRecorded(const Case& c, const Argument& argument, Tensor* out) {
  Tensor value = ValueOf(c, argument, c.op->recorded.at(argument.name), out->shape);
  if (value.shape != out->shape || value.dtype != out->dtype) {
    throw UsageError(fmt::format("{} {}: argument {} has the shape ({}), in model {} it has ({})",
                                 c.op->name, c.Name(), argument.name, fmt::join(out->shape, ", "),
                                 kModel, fmt::join(value.shape, ", ")));
  }
  *out = std::move(value);
}

}  // namespace touchstone::lab
