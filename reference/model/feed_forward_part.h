// The second half of a layer: one dense SwiGLU; or the router, the chosen experts, and the shared
// one. z (T, C) is the normed stream. Gives (T, C), which the stream is added to. Of the routed
// experts only those that some token chose are read, one after the other.
#pragma once

#include "reference/model/layer_part.h"

namespace touchstone {

template <typename Storage>
Tensor FeedForwardPart(const LayerPart& part, const Tensor& z, TextWeights* weights);

}  // namespace touchstone
