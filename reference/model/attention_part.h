// The first half of a layer: projections, rotation or temperature, cache, attention, output
// projection. x (T, C) is the normed stream, `table` the rotary table of the tokens' positions.
// Gives (T, C), which the stream is added to.
#pragma once

#include "reference/model/layer_part.h"

namespace touchstone {

template <typename Storage>
Tensor AttentionPart(const LayerPart& part, const Tensor& x, const Tensor& table, KvCache* cache);

}  // namespace touchstone
