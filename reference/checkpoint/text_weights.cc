#include "reference/checkpoint/text_weights.h"

#include <algorithm>
#include <cstring>
#include <map>
#include <system_error>
#include <utility>
#include <vector>

#include "reference/checkpoint/bad_checkpoint.h"
#include "reference/checkpoint/sharded.h"
#include "reference/checkpoint/text_tensors.h"
#include "reference/formats/require.h"

namespace touchstone::checkpoint {
namespace {

Tensor Transposed(const Tensor& from) {
  const int64_t rows = from.shape[0], columns = from.shape[1];
  const size_t size = ElementBytes(from.dtype);
  Tensor to(from.dtype, {columns, rows});
  for (int64_t r = 0; r < rows; ++r) {
    for (int64_t c = 0; c < columns; ++c) {
      std::memcpy(to.data.data() + static_cast<size_t>(c * rows + r) * size,
                  from.data.data() + static_cast<size_t>(r * columns + c) * size, size);
    }
  }
  return to;
}

// Columns [first, first + count) of (1, rows, columns): (rows, count).
Tensor Columns(const Tensor& from, int64_t first, int64_t count) {
  const int64_t rows = from.shape[1], columns = from.shape[2];
  const size_t size = ElementBytes(from.dtype);
  Tensor to(from.dtype, {rows, count});
  for (int64_t r = 0; r < rows; ++r) {
    std::memcpy(to.data.data() + static_cast<size_t>(r * count) * size,
                from.data.data() + static_cast<size_t>(r * columns + first) * size,
                static_cast<size_t>(count) * size);
  }
  return to;
}

// Rows [first, first + count) of (rows, columns).
Tensor Rows(const Tensor& from, int64_t first, int64_t count) {
  Tensor to(from.dtype, {count, from.shape[1]});
  const auto row = static_cast<std::ptrdiff_t>(from.shape[1]) *
                   static_cast<std::ptrdiff_t>(ElementBytes(from.dtype));
  std::copy_n(from.data.begin() + first * row, to.data.size(), to.data.begin());
  return to;
}

class CheckpointWeights : public TextWeights {
 public:
  CheckpointWeights(Checkpoint checkpoint, TextConfig config, Dtype recipe, int64_t kept_bytes)
      : checkpoint_(std::move(checkpoint)),
        config_(std::move(config)),
        world_(WorldOf(checkpoint_)),
        recipe_(recipe),
        lm_head_(config_.tied_lm_head ? EmbeddingName(world_) : LmHeadName(world_)),
        keeps_(ParameterCount(config_) * static_cast<int64_t>(ElementBytes(recipe)) <= kept_bytes) {
  }

  Dtype storage() const override { return recipe_; }

  Tensor EmbeddingRows(const std::vector<int64_t>& ids) override {
    Tensor rows(recipe_, {static_cast<int64_t>(ids.size()), config_.channels});
    size_t filled = 0;
    for (const int64_t id : ids) {
      const Tensor row = TableRows(EmbeddingName(world_), id, 1);
      std::copy(row.data.begin(), row.data.end(),
                rows.data.begin() + static_cast<std::ptrdiff_t>(filled));
      filled += row.data.size();
    }
    return rows;
  }

  std::shared_ptr<const LayerWeights> Layer(int64_t layer) override {
    if (const auto kept = layers_.find(layer); kept != layers_.end()) return kept->second;
    auto weights = std::make_shared<LayerWeights>();
    weights->router = Tensor(recipe_, {0, config_.channels});
    for (const TextTensor& tensor : LayerTensors(config_, layer, world_)) {
      int64_t first = 0;
      for (const HeldWeight& held : tensor.holds) {
        Tensor rows = checkpoint_.ReadRows(tensor.name, first, held.rows, recipe_);
        (*weights).*held.weight = tensor.is_transposed ? Transposed(rows) : std::move(rows);
        first += held.rows;
      }
    }
    if (keeps_) layers_[layer] = weights;
    return weights;
  }

  std::shared_ptr<const ExpertWeights> Expert(int64_t layer, int64_t expert) override {
    TOUCHSTONE_REQUIRE(layer >= 0 && layer < static_cast<int64_t>(config_.layers.size()));
    TOUCHSTONE_REQUIRE(config_.layers[static_cast<size_t>(layer)].is_moe);
    TOUCHSTONE_REQUIRE(expert >= 0 && expert < config_.experts);
    const std::pair key(layer, expert);
    if (const auto kept = experts_.find(key); kept != experts_.end()) return kept->second;
    auto weights = std::make_shared<ExpertWeights>(ReadExpert(layer, expert));
    if (keeps_) experts_[key] = weights;
    return weights;
  }

  Tensor FinalNorm() override { return checkpoint_.Read(FinalNormName(world_), recipe_); }

  Tensor LmHeadRows(int64_t first, int64_t count) override {
    return TableRows(lm_head_, first, count);
  }

 private:
  ExpertWeights ReadExpert(int64_t layer, int64_t expert) const {
    const int64_t C = config_.channels, F = config_.expert_width;
    const ExpertNames names = ExpertNamesOf(layer, world_);
    ExpertWeights weights;
    if (world_ == NameWorld::kMeta) {
      weights.gate = checkpoint_.ReadRows(names.gate, expert * C, C, recipe_);
      weights.up = checkpoint_.ReadRows(names.up, expert * C, C, recipe_);
      weights.down = checkpoint_.ReadRows(names.down, expert * F, F, recipe_);
      return weights;
    }
    {
      const Tensor gate_up = checkpoint_.ReadRows(names.gate_up, expert, 1, recipe_);
      weights.gate = Columns(gate_up, 0, F);
      weights.up = Columns(gate_up, F, F);
    }
    weights.down = checkpoint_.ReadRows(names.down, expert, 1, recipe_);
    weights.down.shape.erase(weights.down.shape.begin());
    return weights;
  }

  // Of the embedding or lm_head, (V, C).
  Tensor TableRows(const std::string& name, int64_t first, int64_t count) {
    TOUCHSTONE_REQUIRE(first >= 0 && count >= 0 && first <= config_.vocabulary);
    TOUCHSTONE_REQUIRE(count <= config_.vocabulary - first);
    if (!keeps_) return checkpoint_.ReadRows(name, first, count, recipe_);
    auto table = tables_.find(name);
    if (table == tables_.end()) {
      table = tables_.emplace(name, checkpoint_.Read(name, recipe_)).first;
    }
    return Rows(table->second, first, count);
  }

  const Checkpoint checkpoint_;
  const TextConfig config_;
  const NameWorld world_;
  const Dtype recipe_;
  const std::string lm_head_;  // the tensor that the logits read
  // What was read, in a small model.
  const bool keeps_;
  std::map<int64_t, std::shared_ptr<const LayerWeights>> layers_;
  std::map<std::pair<int64_t, int64_t>, std::shared_ptr<const ExpertWeights>> experts_;
  std::map<std::string, Tensor> tables_;
};

// Where the checkpoint has no lm_head the embedding takes its place, in either world.
void TieWhereAbsent(const Checkpoint& checkpoint, TextConfigRead* config) {
  const NameWorld world = WorldOf(checkpoint);
  if (config->text.tied_lm_head || checkpoint.Has(LmHeadName(world))) return;
  config->text.tied_lm_head = true;
  config->notes.push_back(checkpoint.folder() + ": " + LmHeadName(world) +
                          " is absent; the embedding takes its place");
}

void RequireRecipe(Dtype recipe) {
  TOUCHSTONE_REQUIRE(recipe == Dtype::kF32 || recipe == Dtype::kBf16);
}

}  // namespace

std::unique_ptr<TextWeights> OpenTextWeights(const std::string& folder, const TextConfig& config,
                                             Dtype recipe, int64_t kept_bytes) {
  RequireRecipe(recipe);
  TextConfigRead read;
  read.text = config;
  Checkpoint checkpoint(folder);
  TieWhereAbsent(checkpoint, &read);
  RequireTextTensors(checkpoint, read.text);
  return std::make_unique<CheckpointWeights>(std::move(checkpoint), read.text, recipe, kept_bytes);
}

std::filesystem::path ConfigFileOf(const std::filesystem::path& folder) {
  for (const char* name : {"config.json", "params.json"}) {
    std::error_code error;
    if (std::filesystem::exists(folder / name, error)) return folder / name;
  }
  throw BadCheckpoint(folder.string() +
                      ": neither config.json nor params.json, expected a model's folder");
}

TextModelHeaders ReadTextModelHeaders(const std::string& folder) {
  std::filesystem::path config_file = ConfigFileOf(folder);
  TextConfigRead config = ReadConfigFile(config_file);
  Checkpoint checkpoint(folder);
  TieWhereAbsent(checkpoint, &config);
  RequireTextTensors(checkpoint, config.text);
  return {std::move(config_file), std::move(config), std::move(checkpoint)};
}

TextModelFolder OpenTextModel(const std::string& folder, Dtype recipe) {
  RequireRecipe(recipe);
  TextModelHeaders headers = ReadTextModelHeaders(folder);
  auto weights = std::make_unique<CheckpointWeights>(std::move(headers.checkpoint),
                                                     headers.config.text, recipe, kKeptBytes);
  return {std::move(headers.config_file), std::move(headers.config), std::move(weights)};
}

}  // namespace touchstone::checkpoint
