// Generation: the tokens that follow a prompt, one after the other (rule N11), with a cache of
// every layer. The prompt is computed together, each new token alone.
#pragma once

#include <cstdint>
#include <functional>
#include <stdexcept>
#include <vector>

#include "reference/model/backend.h"
#include "reference/model/text_config.h"
#include "reference/model/text_weights.h"
#include "reference/ops/sampling/sampling.h"

namespace touchstone {

struct GenerationChoice {
  int64_t max_new = 64;            // tokens at most
  SamplingChoice sampling = {};    // temperature 0: greedy
  std::vector<int64_t> ends = {};  // a token that ends the text; it is given, and is the last
  int threads = 1;
  Backend backend = {};
};

// The logits of a position allow no choice: one is a NaN or, where tokens are sampled, the largest
// over the temperature is not finite. Weights that hold such numbers, or overflow, lead there.
class NoChoice : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// Shows every new token as it is taken; false ends the text.
using TokenSink = std::function<bool(int64_t token)>;

// Gives the new tokens. The prompt holds at least one token, and only ids of the vocabulary. Throws
// NoChoice.
std::vector<int64_t> Generate(const TextConfig& config, TextWeights* weights,
                              const std::vector<int64_t>& prompt, const GenerationChoice& choice,
                              const TokenSink& sink = {});

}  // namespace touchstone
