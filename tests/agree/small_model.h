// Small text models with random weights in memory, and recordings of what the reference computes
// for them: whole, in part, or with something wrong.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "reference/model/text_config.h"
#include "reference/model/text_weights.h"
#include "tests/model/memory_weights.h"

namespace touchstone {

// Widths, head counts, chunk sizes, experts, top-k and layer patterns follow from the seed. Every
// part of a Llama 4 model is there: layers with and without RoPE, chunked and global, dense and
// MoE, QK norm, temperature, a smooth band of frequencies, and constants that matter.
TextConfig SmallConfig(uint32_t seed);

struct SmallInputs {
  std::vector<std::vector<int64_t>> sequences;  // of real tokens; padded to the longest
  int64_t prefill = 0;                          // tokens given together; 0: all
};
SmallInputs RandomInputs(const TextConfig& config, std::vector<int64_t> lengths, uint32_t seed);

// The name that a tensor has in the file; nothing: it is left out.
using Naming = std::function<std::optional<std::string>(const std::string& path)>;
// Called with every tensor before it is written, (B, T, ...).
using Spoil = std::function<void(const std::string& path, Tensor* tensor)>;

// Runs the reference and writes its trace, or what `naming` leaves of it.
void WriteRecording(const std::string& file, const TextConfig& config, TextWeights* weights,
                    const SmallInputs& inputs, const Naming& naming = {}, const Spoil& spoil = {});

}  // namespace touchstone
