#include "lab/model/inspect.h"

#include <algorithm>
#include <filesystem>
#include <functional>
#include <map>
#include <system_error>
#include <utility>

#include "lab/errors.h"
#include "reference/checkpoint/text_weights.h"

namespace touchstone::lab {
namespace {

namespace fs = std::filesystem;
using checkpoint::NameWorld;

struct Preset {
  std::string title;
  std::function<TextConfig()> text;
  bool has_published_vision = false;
};

const std::map<std::string, Preset>& Presets() {
  static const std::map<std::string, Preset> kPresets = {
      {"scout", {"Llama-4-Scout-17B-16E-Instruct", Scout, true}},
      {"maverick", {"Llama-4-Maverick-17B-128E-Instruct", Maverick, true}},
      {"llama-guard-4", {"Llama-Guard-4-12B, its text model", LlamaGuard4, false}},
  };
  return kPresets;
}

constexpr char kBehemoth[] =
    "behemoth: the shape of Llama 4 Behemoth was never published, nor were its weights. Known are "
    "288 billion active parameters, 16 experts and nearly two trillion parameters in all; layers, "
    "width, heads and vocabulary are not, so there is nothing to inspect. Give scout, maverick or "
    "llama-guard-4";

void AddExpectedTensors(InspectedModel* model) {
  const bool is_published_pair = model->vision && model->world == NameWorld::kHuggingFace;
  const std::string prefix = is_published_pair ? "language_model." : "";
  for (checkpoint::TextTensor& tensor : checkpoint::TextTensors(model->config.text, model->world)) {
    model->tensors.push_back({prefix + tensor.name, std::move(tensor.shape), "", "", 0});
  }
  if (!is_published_pair) return;
  for (checkpoint::VisionTensor& tensor :
       checkpoint::VisionTensors(*model->vision, model->config.text.channels)) {
    model->tensors.push_back({std::move(tensor.name), std::move(tensor.shape), "", "", 0});
  }
}

InspectedModel FromPreset(const std::string& name, const Preset& preset) {
  InspectedModel model;
  model.source = "preset " + name + ": " + preset.title;
  model.config.text = preset.text();
  const std::vector<TextLayer>& layers = model.config.text.layers;
  if (std::any_of(layers.begin(), layers.end(), [](const TextLayer& l) { return !l.has_rope; })) {
    model.config.notes.push_back(
        "attn_temperature_tuning is on, the default of Hugging Face; Meta's code leaves it off. "
        "The two agree on positions below 8191");
  }
  if (preset.has_published_vision) model.vision = checkpoint::PublishedVision();
  AddExpectedTensors(&model);
  return model;
}

InspectedModel FromConfigFile(const fs::path& path) {
  InspectedModel model;
  model.source = path.string();
  model.config = checkpoint::ReadConfigFile(path);
  model.vision = checkpoint::ReadVisionSizesFile(path);
  if (model.config.is_meta) model.world = NameWorld::kMeta;
  AddExpectedTensors(&model);
  return model;
}

bool HasWeights(const fs::path& folder) {
  for (const char* name : {"model.safetensors", "model.safetensors.index.json"}) {
    std::error_code error;
    if (fs::exists(fs::symlink_status(folder / name, error))) return true;
  }
  return false;
}

InspectedModel FromFolder(const fs::path& folder) {
  if (!HasWeights(folder)) return FromConfigFile(checkpoint::ConfigFileOf(folder));
  checkpoint::TextModelHeaders headers = checkpoint::ReadTextModelHeaders(folder.string());
  InspectedModel model;
  model.source = headers.config_file.string();
  model.config = std::move(headers.config);
  model.vision = checkpoint::ReadVisionSizesFile(headers.config_file);
  model.world = checkpoint::WorldOf(headers.checkpoint);
  model.has_weights = true;
  for (const auto& [name, stored] : headers.checkpoint.tensors()) {
    model.tensors.push_back({stored.name, stored.shape, stored.dtype,
                             fs::path(stored.shard).filename().string(),
                             static_cast<int64_t>(stored.bytes)});
  }
  return model;
}

}  // namespace

InspectedModel Inspect(const std::string& model) {
  if (const auto preset = Presets().find(model); preset != Presets().end()) {
    return FromPreset(preset->first, preset->second);
  }
  if (model == "behemoth") throw UsageError(kBehemoth);
  std::error_code error;
  const fs::file_status status = fs::status(model, error);
  if (fs::is_directory(status)) return FromFolder(model);
  if (fs::exists(status)) return FromConfigFile(model);
  throw UsageError("no preset, folder or file '" + model +
                   "', expected scout, maverick, llama-guard-4, a model's folder, or a config.json "
                   "or params.json");
}

}  // namespace touchstone::lab
