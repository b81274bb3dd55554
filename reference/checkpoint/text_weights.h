// The weights of a text model from a checkpoint of either name world, and a whole model folder.
//
// Each piece is read when it is asked for and nothing is held, so that a run never holds more than
// the pieces that it computes with; but a model that is small, all of it at most kKeptBytes in the
// recipe's storage, is kept piece by piece once read, since decoding would read it again for every
// token.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>

#include "reference/checkpoint/config_json.h"
#include "reference/checkpoint/sharded.h"
#include "reference/model/text_config.h"
#include "reference/model/text_weights.h"

namespace touchstone::checkpoint {

inline constexpr int64_t kKeptBytes = int64_t{256} << 20;

// `folder` holds the checkpoint; `recipe` is kF32 or kBf16. Judges all tensors by their headers
// (text_tensors.h) and reads none. Throws BadCheckpoint. The result is not for several threads at
// once. Tokens, layers, experts and rows that the model does not have are ContractViolation.
std::unique_ptr<TextWeights> OpenTextWeights(const std::string& folder, const TextConfig& config,
                                             Dtype recipe, int64_t kept_bytes = kKeptBytes);

// config.json, or params.json where there is none. Throws BadCheckpoint where there is neither.
std::filesystem::path ConfigFileOf(const std::filesystem::path& folder);

// A whole model folder by its headers: all that OpenTextModel judges, and no weights.
struct TextModelHeaders {
  std::filesystem::path config_file;
  // Tied also where the checkpoint has no lm_head; then a note says so.
  TextConfigRead config;
  Checkpoint checkpoint;
};
TextModelHeaders ReadTextModelHeaders(const std::string& folder);

struct TextModelFolder {
  std::filesystem::path config_file;
  TextConfigRead config;  // as in TextModelHeaders
  std::unique_ptr<TextWeights> weights;
};

// Configuration and weights. Throws BadCheckpoint.
TextModelFolder OpenTextModel(const std::string& folder, Dtype recipe);

}  // namespace touchstone::checkpoint
