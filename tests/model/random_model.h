// A text model of any small shape with weights from a seed, for tests that need no checkpoint.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "reference/formats/philox.h"
#include "reference/model/text_config.h"
#include "reference/model/text_weights.h"

namespace touchstone {

class RandomWeights : public TextWeights {
 public:
  RandomWeights(const TextConfig& config, Dtype storage) : config_(config), storage_(storage) {}

  Dtype storage() const override { return storage_; }

  Tensor EmbeddingRows(const std::vector<int64_t>& ids) override {
    const Tensor table = Make(1, {config_.vocabulary, config_.channels}, 1.0f);
    Tensor rows(storage_, {static_cast<int64_t>(ids.size()), config_.channels});
    for (size_t i = 0; i < ids.size(); ++i) {
      for (int64_t c = 0; c < config_.channels; ++c) {
        rows.SetReal(static_cast<int64_t>(i) * config_.channels + c,
                     static_cast<float>(table.Real(ids[i] * config_.channels + c)));
      }
    }
    return rows;
  }

  std::shared_ptr<const LayerWeights> Layer(int64_t layer) override {
    const uint32_t seed = 100 + 1000 * static_cast<uint32_t>(layer);
    const int64_t C = config_.channels, Q = QueryWidth(config_), K = KvWidth(config_);
    const bool is_moe = config_.layers.at(static_cast<size_t>(layer)).is_moe;
    const int64_t F = is_moe ? config_.expert_width : config_.dense_width;
    auto w = std::make_shared<LayerWeights>();
    w->attention_norm = Make(seed + 1, {C}, 1.0f);
    w->q = Make(seed + 2, {Q, C}, 0.5f);
    w->k = Make(seed + 3, {K, C}, 0.5f);
    w->v = Make(seed + 4, {K, C}, 0.5f);
    w->o = Make(seed + 5, {C, Q}, 0.5f);
    w->feed_forward_norm = Make(seed + 6, {C}, 1.0f);
    w->gate = Make(seed + 7, {F, C}, 0.5f);
    w->up = Make(seed + 8, {F, C}, 0.5f);
    w->down = Make(seed + 9, {C, F}, 0.5f);
    w->router = is_moe ? Make(seed + 10, {config_.experts, C}, 0.5f) : Tensor(storage_, {0, C});
    return w;
  }

  std::shared_ptr<const ExpertWeights> Expert(int64_t layer, int64_t expert) override {
    const uint32_t seed =
        100000 + 1000 * static_cast<uint32_t>(layer) + 10 * static_cast<uint32_t>(expert);
    const int64_t C = config_.channels, F = config_.expert_width;
    auto w = std::make_shared<ExpertWeights>();
    w->gate = Make(seed + 1, {C, F}, 0.5f);
    w->up = Make(seed + 2, {C, F}, 0.5f);
    w->down = Make(seed + 3, {F, C}, 0.5f);
    return w;
  }

  Tensor FinalNorm() override { return Make(2, {config_.channels}, 1.0f); }

  Tensor LmHeadRows(int64_t first, int64_t count) override {
    const Tensor table = Make(3, {config_.vocabulary, config_.channels}, 0.5f);
    Tensor rows(storage_, {count, config_.channels});
    for (int64_t i = 0; i < rows.count(); ++i) {
      rows.SetReal(i, static_cast<float>(table.Real(first * config_.channels + i)));
    }
    return rows;
  }

 private:
  // About `scale` in size; the same in every storage but for its rounding.
  Tensor Make(uint32_t seed, const std::vector<int64_t>& shape, float scale) const {
    Tensor tensor(storage_, shape);
    for (int64_t i = 0; i < tensor.count(); ++i) {
      const int32_t n = PhiloxF32Integer(PhiloxWord(7, seed, static_cast<uint64_t>(i)));
      tensor.SetReal(i, scale * static_cast<float>(n) * 0x1p-15f);
    }
    return tensor;
  }

  const TextConfig config_;
  Dtype storage_;
};

}  // namespace touchstone
