// A text model's configuration from the two files that describe Llama 4 checkpoints: Hugging Face's
// config.json, with the text model in text_config or alone, in the older and the newer keys; and
// Meta's params.json.
//
// Unknown keys are ignored. A wrong type, a value out of range, an unknown kind of RoPE or of
// layer, and two keys that contradict each other are BadCheckpoint: file, key, found, expected.
// Sizes are never guessed. A constant may be absent where both worlds take the same default; where
// their defaults differ, the file's own world is followed and a note says so.
//
// Accepted sizes end far above any published model, so that hostile ones neither overflow a count
// of parameters nor exhaust memory.
//
// Checked against: transformers 5.23.0, models/llama4/configuration_llama4.py and the converter
// beside it; llama-models 0.3.0, models/llama4/args.py, model.py and moe.py.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "reference/checkpoint/special_tokens.h"
#include "reference/model/text_config.h"

namespace touchstone::checkpoint {

struct TextConfigRead {
  TextConfig text;
  SpecialTokens tokens;            // none in params.json
  std::vector<std::string> notes;  // which default was taken, and why; a sentence each
  bool is_meta = false;            // read from params.json's keys
};

// `file` is the name that errors and notes cite.
TextConfigRead ReadHuggingFaceConfig(std::string_view json, const std::string& file);
TextConfigRead ReadMetaParams(std::string_view json, const std::string& file);

// Either file: one with the keys dim and n_layers is Meta's. Refuses one that cannot be read or is
// larger than 16 MiB.
TextConfigRead ReadConfigFile(const std::filesystem::path& path);

}  // namespace touchstone::checkpoint
