// What the two halves of a layer are given, and what both do.
#pragma once

#include <string>
#include <utility>

#include "reference/model/activation_paths.h"
#include "reference/model/backend.h"
#include "reference/model/decoder.h"

namespace touchstone {

struct LayerPart {
  const TextConfig& config;
  int64_t layer;
  const LayerWeights& weights;
  int threads;
  const Backend& backend;
  const Observer& observe;

  // Shows a result under its name in this layer, and passes it on.
  Tensor Show(const std::string& name, Tensor rows) const {
    if (observe) observe(LayerPath(layer) + "/" + name, rows);
    return rows;
  }
};

// One projection: x (T, C) by a weight (F, C).
template <typename Storage>
Tensor Project(const LayerPart& part, const Tensor& x, const Tensor& weight) {
  Tensor y(kDtypeOf<Storage>, {x.shape.at(0), weight.shape.at(0)});
  part.backend.of<Storage>().linear(x.As<Storage, 'T', 'C'>(), weight.As<Storage, 'F', 'C'>(),
                                    y.As<Storage, 'T', 'F'>(), part.threads);
  return y;
}

}  // namespace touchstone
