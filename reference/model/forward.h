// A whole forward pass over a batch, a layer at a time: of weights and activations only one layer's
// are held, and the stream between layers.
//
// Each sequence is computed alone, so it has the bits that it has in any batch. The first `prefill`
// tokens of a sequence are given to each layer together and the others one by one after them, with
// a cache: the calls, and so the bits, are those of prefill and decode, in another order.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "reference/formats/tensor.h"
#include "reference/model/backend.h"
#include "reference/model/text_config.h"
#include "reference/model/text_weights.h"

namespace touchstone {

// Rows of one activation: of tokens first, first + 1, ... of one sequence. In order of layers, then
// of sequences, then of tokens; each row once.
using RowSink = std::function<void(const std::string& path, int64_t sequence, int64_t first,
                                   const Tensor& rows)>;

struct ForwardChoice {
  int64_t prefill = 0;  // tokens given together; 0: all
  int threads = 1;
  // Called before layer 0, 1, ..., and with the number of layers before the logits.
  std::function<void(int64_t layer)> progress = {};
  Backend backend = {};
};

// Every sequence holds at least one token, and only ids of the vocabulary: else a contract
// violation. Paths are those of activation_paths.h.
void Forward(const TextConfig& config, TextWeights* weights,
             const std::vector<std::vector<int64_t>>& sequences, const ForwardChoice& choice,
             const RowSink& sink);

// The same with every activation whole, (B, T, ...), T the longest sequence's tokens; rows of
// padding are zero.
std::map<std::string, Tensor> WholeActivations(const TextConfig& config, TextWeights* weights,
                                               const std::vector<std::vector<int64_t>>& sequences,
                                               const ForwardChoice& choice);

}  // namespace touchstone
