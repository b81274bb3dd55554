// The text decoder: ops of reference/ops in the order of a forward pass, over some consecutive
// tokens of one sequence. It adds no arithmetic.
//
//   h = embedding
//   each layer:  h = h + output(attention(attention_norm(h)))
//                h = h + feed_forward(feed_forward_norm(h))
//   logits = lm_head(final_norm(h))
//
// The stream h is (T, C) in the recipe's storage; the additions round to it. Positions count from
// the sequence's first token. A layer's keys and values live in a cache that the caller keeps, so a
// prefill, single tokens after it, or a layer at a time over a whole sequence are the same calls,
// and give the same bits.
//
// Every intermediate result is shown to the observer, if there is one, under its path (see
// activation_paths.h), (T, ...).
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "reference/formats/tensor.h"
#include "reference/model/backend.h"
#include "reference/model/text_config.h"
#include "reference/model/text_weights.h"

namespace touchstone {

using Observer = std::function<void(const std::string& path, const Tensor& rows)>;

// What one layer remembers of one sequence: keys after RoPE and QK norm, and values, of the
// positions 0 to filled - 1.
struct KvCache {
  KvCache(const TextConfig& config, Dtype storage, int64_t capacity);

  // Makes room for `more` positions: the capacity grows by doubling, what is filled stays.
  void MakeRoom(int64_t more);

  Tensor keys, values;  // (capacity, G, D)
  int64_t filled = 0;
};

class Decoder {
 public:
  // Both must outlive the decoder. Threads never reach a bit, nor does a sound backend.
  Decoder(const TextConfig& config, TextWeights* weights, int threads = 1,
          const Backend& backend = {});

  // The rows of some ids, (T, C): what enters layer 0. An id outside the vocabulary is a contract
  // violation.
  Tensor Embed(const std::vector<int64_t>& ids, const Observer& observe = {}) const;

  // Cosines and sines of positions first, first + 1, ...: (T, J, 2), shared by all layers.
  Tensor RotaryTable(int64_t first, int64_t count, const Observer& observe = {}) const;

  // One layer over the tokens at positions cache->filled, cache->filled + 1, ..., which join the
  // cache. h (T, C); `table` is that of these positions. Gives the stream after the layer.
  Tensor RunLayer(int64_t layer, const Tensor& h, const Tensor& table, KvCache* cache,
                  const Observer& observe = {}) const;

  // Final norm and logits of some rows of the stream: (T, V), f32.
  Tensor RunLogits(const Tensor& h, const Observer& observe = {}) const;

 private:
  const TextConfig& config_;
  TextWeights* weights_;
  int threads_;
  Backend backend_;
};

}  // namespace touchstone
