// The first layer of a text model, composed from the reference's ops: embedding, attention block,
// feed-forward, and the two additions to the stream. Every intermediate result has the name that
// transformers gives to the module that computes it.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "reference/formats/dtype.h"
#include "reference/formats/tensor.h"
#include "tests/outside/text_config.h"

namespace touchstone::outside {

using Named = std::vector<std::pair<std::string, Tensor>>;
using ReadWeight = std::function<Tensor(const std::string& name)>;

// From token ids to the output of layer 0, in the order of computation. Weights come in the format
// of the checkpoint: recipe f32 widens bf16, recipe bf16 narrows f32 once. Positions count from 0.
// Throws std::runtime_error where layer 0 has no RoPE: no published model is so.
Named RunFirstLayer(const TextConfig& config, Dtype recipe, const Tensor& ids,
                    const ReadWeight& read_weight);

}  // namespace touchstone::outside
