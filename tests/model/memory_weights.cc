#include "tests/model/memory_weights.h"

#include <cmath>
#include <utility>

namespace touchstone {

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

}  // namespace touchstone
