#include "tests/agree/small_model.h"

#include <algorithm>

#include "golden/hdf5_file.h"
#include "reference/model/forward.h"

namespace touchstone {
namespace {

int64_t OneOf(std::mt19937* random, std::initializer_list<int64_t> values) {
  return values.begin()[(*random)() % values.size()];
}

}  // namespace

TextConfig SmallConfig(uint32_t seed) {
  std::mt19937 random(seed);
  TextConfig config;
  config.vocabulary = OneOf(&random, {37, 50, 64});
  config.channels = OneOf(&random, {24, 40, 72});
  config.kv_heads = OneOf(&random, {2, 3});
  config.heads = config.kv_heads * OneOf(&random, {2, 3});
  config.head_width = OneOf(&random, {6, 10, 12});
  config.dense_width = OneOf(&random, {20, 33});
  config.experts = OneOf(&random, {4, 5, 9});
  config.experts_a_token = OneOf(&random, {1, 2, 3});
  config.expert_width = OneOf(&random, {12, 17});
  config.rms_norm_eps = 1e-3;
  config.rope = {100.0, true, 8.0, 1.0, 4.0, 32.0};
  config.use_qk_norm = true;
  config.attn_temperature_tuning = true;
  config.floor_scale = static_cast<double>(OneOf(&random, {3, 4}));
  config.attn_scale = 0.3;
  config.attention_chunk_size = OneOf(&random, {4, 5, 7});
  config.layers = PatternedLayers(4, OneOf(&random, {2, 3}), true, OneOf(&random, {2, 3}));
  return config;
}

MemoryWeights::MemoryWeights(const TextConfig& config, Dtype storage, uint32_t seed)
    : storage_(storage), random_(seed) {
  const int64_t C = config.channels, Q = QueryWidth(config), K = KvWidth(config);
  const auto scale = [](int64_t inputs) { return 1.5 / std::sqrt(static_cast<double>(inputs)); };
  embedding_ = Random({config.vocabulary, C}, 0.25);
  final_norm_ = Random({C}, 0.3, 1.0);
  lm_head_ = Random({config.vocabulary, C}, scale(C));
  for (const TextLayer& layer : config.layers) {
    const int64_t F = layer.is_moe ? config.expert_width : config.dense_width;
    auto weights = std::make_shared<LayerWeights>();
    weights->attention_norm = Random({C}, 0.3, 1.0);
    weights->q = Random({Q, C}, scale(C));
    weights->k = Random({K, C}, scale(C));
    weights->v = Random({K, C}, scale(C));
    weights->o = Random({C, Q}, 0.3 * scale(Q));
    weights->feed_forward_norm = Random({C}, 0.3, 1.0);
    weights->gate = Random({F, C}, scale(C));
    weights->up = Random({F, C}, scale(C));
    weights->down = Random({C, F}, scale(F));
    weights->router = Random({layer.is_moe ? config.experts : 0, C}, scale(C));
    layers_.push_back(std::move(weights));
    experts_.emplace_back();
    for (int64_t e = 0; layer.is_moe && e < config.experts; ++e) {
      auto expert = std::make_shared<ExpertWeights>();
      expert->gate = Random({C, F}, scale(C));
      expert->up = Random({C, F}, scale(C));
      expert->down = Random({F, C}, scale(F));
      experts_.back().push_back(std::move(expert));
    }
  }
}

// Uniform around a value, and bf16 in either storage.
Tensor MemoryWeights::Random(std::vector<int64_t> shape, double scale, double around) {
  Tensor tensor(storage_, std::move(shape));
  for (int64_t i = 0; i < tensor.count(); ++i) {
    const double unit = static_cast<double>(random_() >> 8) * 0x1p-24;
    const double x = around + scale * 1.7 * (2.0 * unit - 1.0);
    tensor.SetReal(i, Widen(NarrowToBf16(static_cast<float>(x))));
  }
  return tensor;
}

Tensor MemoryWeights::RowsOf(const Tensor& table, const std::vector<int64_t>& rows) const {
  const int64_t cols = table.shape.at(1);
  Tensor some(storage_, {static_cast<int64_t>(rows.size()), cols});
  for (size_t i = 0; i < rows.size(); ++i) {
    for (int64_t c = 0; c < cols; ++c) {
      some.SetReal(static_cast<int64_t>(i) * cols + c,
                   static_cast<float>(table.Real(rows[i] * cols + c)));
    }
  }
  return some;
}

Tensor MemoryWeights::EmbeddingRows(const std::vector<int64_t>& ids) {
  return RowsOf(embedding_, ids);
}

std::shared_ptr<const LayerWeights> MemoryWeights::Layer(int64_t layer) {
  return layers_.at(static_cast<size_t>(layer));
}

std::shared_ptr<const ExpertWeights> MemoryWeights::Expert(int64_t layer, int64_t expert) {
  return experts_.at(static_cast<size_t>(layer)).at(static_cast<size_t>(expert));
}

Tensor MemoryWeights::LmHeadRows(int64_t first, int64_t count) {
  std::vector<int64_t> rows;
  for (int64_t i = 0; i < count; ++i) rows.push_back(first + i);
  return RowsOf(lm_head_, rows);
}

SmallInputs RandomInputs(const TextConfig& config, std::vector<int64_t> lengths, uint32_t seed) {
  std::mt19937 random(seed);
  SmallInputs inputs;
  for (const int64_t length : lengths) {
    inputs.sequences.emplace_back();
    for (int64_t t = 0; t < length; ++t) {
      inputs.sequences.back().push_back(
          static_cast<int64_t>(random() % static_cast<uint32_t>(config.vocabulary)));
    }
  }
  return inputs;
}

void WriteRecording(const std::string& file, const TextConfig& config, TextWeights* weights,
                    const SmallInputs& inputs, const Naming& naming, const Spoil& spoil) {
  const int64_t B = static_cast<int64_t>(inputs.sequences.size());
  int64_t T = 0;
  for (const auto& ids : inputs.sequences) T = std::max(T, static_cast<int64_t>(ids.size()));
  std::vector<std::string> order;
  std::map<std::string, Tensor> tensors;
  ForwardChoice choice;
  choice.prefill = inputs.prefill;
  Forward(config, weights, inputs.sequences, choice,
          [&](const std::string& path, int64_t sequence, int64_t first, const Tensor& rows) {
            if (!tensors.contains(path)) {
              std::vector<int64_t> shape = {B, T};
              shape.insert(shape.end(), rows.shape.begin() + 1, rows.shape.end());
              tensors.emplace(path, Tensor(rows.dtype, shape));
              order.push_back(path);
            }
            Tensor& whole = tensors.at(path);
            const size_t row = whole.data.size() / static_cast<size_t>(B * T);
            std::copy(rows.data.begin(), rows.data.end(),
                      whole.data.begin() + static_cast<std::ptrdiff_t>(
                                               static_cast<size_t>(sequence * T + first) * row));
          });

  golden::Writer writer(file);
  Tensor ids(Dtype::kI64, {B, T}), lengths(Dtype::kI64, {B});
  for (int64_t b = 0; b < B; ++b) {
    const auto& sequence = inputs.sequences[static_cast<size_t>(b)];
    lengths.values<int64_t>()[b] = static_cast<int64_t>(sequence.size());
    std::copy(sequence.begin(), sequence.end(), ids.values<int64_t>() + b * T);
  }
  writer.Write("input/input_ids", ids);
  writer.Write("input/lengths", lengths);
  for (const std::string& path : order) {
    const std::optional<std::string> name = naming ? naming(path) : path;
    if (!name) continue;
    if (spoil) spoil(path, &tensors.at(path));
    writer.Write(*name, tensors.at(path));
    if (name->ends_with("logits_decode")) {
      writer.WriteNumber(*name, "prefill", static_cast<double>(inputs.prefill));
    }
  }
  writer.Close();
}

}  // namespace touchstone
