// The tokens that a configuration gives a meaning to. Nothing is assumed where it is silent.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

namespace touchstone::checkpoint {

struct SpecialTokens {
  std::optional<int64_t> begin;  // bos_token_id: goes before a prompt
  std::vector<int64_t> ends;     // eos_token_id, one or a list: each ends a text
  std::optional<int64_t> image;  // image_token_index: rows of image patches stand here

  friend bool operator==(const SpecialTokens&, const SpecialTokens&) = default;
};

// Of a config.json: text_config's where it has them, else the outer object's; null is absent. An id
// outside the vocabulary can never occur: it is left out, and a note says so. What is no whole
// number throws BadCheckpoint.
SpecialTokens ReadSpecialTokens(const nlohmann::json& config, const std::string& file,
                                int64_t vocabulary, std::vector<std::string>* notes);

}  // namespace touchstone::checkpoint
