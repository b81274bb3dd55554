// What every configuration that a reader accepts must keep, whatever the bytes were.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <string_view>
#include <vector>

#include "reference/checkpoint/bad_checkpoint.h"
#include "reference/checkpoint/config_json.h"
#include "reference/checkpoint/text_tensors.h"
#include "reference/checkpoint/vision_sizes.h"

namespace touchstone::fuzz {

inline void Require(bool holds) {
  if (!holds) std::abort();
}

// Rounded to binary32, as the ops take it.
inline bool IsPositive(double x) {
  const auto rounded = static_cast<float>(x);
  return std::isfinite(rounded) && rounded > 0.0f;
}

inline int64_t Elements(const std::vector<int64_t>& shape) {
  int64_t count = 1;
  for (const int64_t extent : shape) {
    Require(extent > 0);
    Require(!__builtin_mul_overflow(count, extent, &count));
  }
  return count;
}

inline void RequireSound(const TextConfig& text) {
  Require(!text.layers.empty() && text.vocabulary > 0 && text.channels > 0);
  Require(text.heads > 0 && text.kv_heads > 0 && text.heads % text.kv_heads == 0);
  Require(text.head_width > 0 && text.head_width % 2 == 0);
  Require(IsPositive(text.rms_norm_eps) && IsPositive(text.floor_scale));
  Require(std::isfinite(static_cast<float>(text.attn_scale)) && text.attn_scale >= 0.0);
  Require(IsPositive(text.rope.theta));
  if (text.rope.llama3) {
    Require(IsPositive(text.rope.factor) && IsPositive(text.rope.low));
    Require(IsPositive(text.rope.high) && IsPositive(text.rope.original));
  }
  for (const TextLayer& layer : text.layers) {
    Require(!layer.is_chunked || (layer.has_rope && text.attention_chunk_size > 0));
    if (!layer.is_moe) Require(text.dense_width > 0);
    if (!layer.is_moe) continue;
    Require(text.expert_width > 0 && text.experts > 0);
    Require(text.experts_a_token > 0 && text.experts_a_token <= text.experts);
  }
}

// The tensors of both worlds hold as many numbers as the formula counts, in 63 bits of bytes.
inline void RequireCountable(const TextConfig& text) {
  for (const auto world : {checkpoint::NameWorld::kHuggingFace, checkpoint::NameWorld::kMeta}) {
    int64_t count = 0;
    for (const checkpoint::TextTensor& tensor : checkpoint::TextTensors(text, world)) {
      Require(!__builtin_add_overflow(count, Elements(tensor.shape), &count));
    }
    Require(count == ParameterCount(text) && ActiveParameterCount(text) <= count);
    int64_t bytes = 0;
    Require(!__builtin_mul_overflow(count, int64_t{4}, &bytes));
  }
}

inline void ReadVision(std::string_view json, int64_t text_channels) {
  try {
    const auto sizes = checkpoint::ReadVisionSizes(json, "input");
    if (!sizes) return;
    int64_t count = 0;
    for (const checkpoint::VisionTensor& tensor :
         checkpoint::VisionTensors(*sizes, text_channels)) {
      Require(!__builtin_add_overflow(count, Elements(tensor.shape), &count));
    }
    Require(count == checkpoint::VisionParameterCount(*sizes, text_channels));
    Require(checkpoint::ImageTokensOf(*sizes) >= 0);
  } catch (const checkpoint::BadCheckpoint&) {
  }
}

template <typename Read>
void ReadAndRequire(std::string_view json, Read read) {
  int64_t channels = 1;
  try {
    const checkpoint::TextConfigRead config = read(json, "input");
    RequireSound(config.text);
    RequireCountable(config.text);
    channels = config.text.channels;
  } catch (const checkpoint::BadCheckpoint&) {
  }
  ReadVision(json, channels);
}

}  // namespace touchstone::fuzz
