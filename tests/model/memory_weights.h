// A text model of any small shape with weights from a seed, for tests that need no checkpoint.
#pragma once

#include <cstdint>
#include <memory>
#include <random>
#include <vector>

#include "reference/model/text_config.h"
#include "reference/model/text_weights.h"

namespace touchstone {

// The same weights in either recipe, since all of them are bf16 values.
class MemoryWeights : public TextWeights {
 public:
  MemoryWeights(const TextConfig& config, Dtype storage, uint32_t seed);

  Dtype storage() const override { return storage_; }
  Tensor EmbeddingRows(const std::vector<int64_t>& ids) override;
  std::shared_ptr<const LayerWeights> Layer(int64_t layer) override;
  std::shared_ptr<const ExpertWeights> Expert(int64_t layer, int64_t expert) override;
  Tensor FinalNorm() override { return final_norm_; }
  Tensor LmHeadRows(int64_t first, int64_t count) override;

 private:
  Tensor Random(std::vector<int64_t> shape, double scale, double around = 0.0);
  Tensor RowsOf(const Tensor& table, const std::vector<int64_t>& rows) const;

  Dtype storage_;
  std::mt19937 random_;
  Tensor embedding_, final_norm_, lm_head_;
  std::vector<std::shared_ptr<LayerWeights>> layers_;
  std::vector<std::vector<std::shared_ptr<ExpertWeights>>> experts_;
};

}  // namespace touchstone
