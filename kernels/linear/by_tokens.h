// Linear by the algorithm that suits the number of tokens, for kernels that are composed of others:
// slices of chains while the weights' way from memory is what counts, else tiles. Both give the
// same bits.
#pragma once

#include "kernels/linear/register_tiles.h"
#include "kernels/linear/slices_per_warp.h"

namespace touchstone::kernels::linear {

constexpr int64_t kFewTokens = 16;

template <typename Storage>
void ByTokens(View<const Storage, 'T', 'C'> x, View<const Storage, 'F', 'C'> weight,
              View<Storage, 'T', 'F'> y) {
  if (Extent<'T'>(x, y) <= kFewTokens) {
    slices_per_warp(x, weight, y, 1);
  } else {
    register_tiles(x, weight, y, 1);
  }
}

}  // namespace touchstone::kernels::linear
