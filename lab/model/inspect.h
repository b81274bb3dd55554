// What a text model is, for `touchstone inspect`: a preset, a configuration file or a model's
// folder, as a text and as JSON.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "reference/checkpoint/config_json.h"
#include "reference/checkpoint/text_tensors.h"
#include "reference/checkpoint/vision_sizes.h"

namespace touchstone::lab {

struct InspectedTensor {
  std::string name;
  std::vector<int64_t> shape;
  // Of stored tensors only.
  std::string dtype, shard;
  int64_t bytes = 0;
};

struct InspectedModel {
  std::string source;  // "preset scout: ...", or the configuration's path
  checkpoint::TextConfigRead config;
  checkpoint::NameWorld world = checkpoint::NameWorld::kHuggingFace;
  std::optional<checkpoint::VisionSizes> vision;
  bool has_weights = false;              // then `tensors` are the stored ones
  std::vector<InspectedTensor> tensors;  // else what the configuration gives
};

// A preset (scout, maverick, llama-guard-4), the path of a configuration, or that of a folder with
// one; weights in the folder are judged by their headers. Throws UsageError where `model` is none
// of that, and for behemoth; BadCheckpoint for what is in the files.
InspectedModel Inspect(const std::string& model);

std::string ShowModel(const InspectedModel& model, bool tensors);
std::string ModelJson(const InspectedModel& model, bool tensors);

// Ascending layers, runs folded: "0-2, 4-6, ..., 44-46".
std::string LayerRanges(const std::vector<int64_t>& layers);

}  // namespace touchstone::lab
