// A trace: every activation of a text model on given inputs, in one HDF5 file under the paths of
// reference/model/activation_paths.h, (B, T, ...), and the inputs beside them. Rows of padding are
// zero. Attributes of the root: contract, made_by, recipe, and prefill where tokens came one by
// one.
#pragma once

#include <cstdint>
#include <functional>
#include <set>
#include <string>

#include "lab/recording/recording.h"
#include "reference/model/backend.h"
#include "reference/model/text_config.h"
#include "reference/model/text_weights.h"

namespace touchstone::lab {

struct TraceChoice {
  int64_t prefill = 0;     // tokens given together; 0: all
  bool all_layers = true;  // false: of the layers, only those below are written
  std::set<int64_t> layers = {};
  int threads = 1;
  std::function<void(int64_t layer)> progress = {};
  Backend backend = {};
};

// Runs the model, one layer's weights in memory at a time, and writes rows as they come. The file
// appears whole or not at all. Gives the number of tensors.
int64_t WriteTrace(const TextConfig& config, TextWeights* weights, const TextInputs& inputs,
                   const TraceChoice& choice, const std::string& file);

}  // namespace touchstone::lab
