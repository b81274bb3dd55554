// The weights of a text model, a piece at a time and in the storage of one recipe: who runs the
// model never holds more than the piece that it computes with.
//
// Recipe f32 widens bf16 weights exactly; recipe bf16 narrows f32 weights once. Shape letters: C
// width, H query heads, G key/value heads, D head width, E experts, F feed-forward width,
// V vocabulary. All weights but those of routed experts are output-major, (outputs, inputs).
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "reference/formats/tensor.h"

namespace touchstone {

struct LayerWeights {
  Tensor attention_norm;     // (C)
  Tensor q, k, v, o;         // (H D, C), (G D, C), (G D, C), (C, H D)
  Tensor feed_forward_norm;  // (C)
  Tensor gate, up, down;     // (F, C), (F, C), (C, F): the dense feed-forward, or the shared expert
  Tensor router;             // (E, C); no elements where the layer is dense
};

// One routed expert. Published checkpoints store these input-major.
struct ExpertWeights {
  Tensor gate, up;  // (C, F)
  Tensor down;      // (F, C)
};

class TextWeights {
 public:
  virtual ~TextWeights() = default;

  virtual Dtype storage() const = 0;
  // The rows of the embedding that the ids name, in their order: (ids, C).
  virtual Tensor EmbeddingRows(const std::vector<int64_t>& ids) = 0;
  virtual std::shared_ptr<const LayerWeights> Layer(int64_t layer) = 0;
  virtual std::shared_ptr<const ExpertWeights> Expert(int64_t layer, int64_t expert) = 0;
  virtual Tensor FinalNorm() = 0;  // (C)
  // Rows [first, first + count) of lm_head, or of the embedding where they are tied: (count, C).
  virtual Tensor LmHeadRows(int64_t first, int64_t count) = 0;
};

}  // namespace touchstone
