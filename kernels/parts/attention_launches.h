// The launches that both attention blocks share: projections, the cache and attention itself, each
// by the kernel for few tokens or by that for many. Host side.
#pragma once

#include "kernels/attention/query_tiles.h"
#include "kernels/attention/split_blocks.h"
#include "kernels/kv_append/chunk_per_thread.h"
#include "kernels/linear/register_tiles.h"
#include "kernels/linear/slices_per_warp.h"
#include "kernels/parts/dense.h"
#include "kernels/simt/simt.cuh"

namespace touchstone::kernels {

// Up to here every weight and every key is read once for all tokens, or nearly; the bits of both
// sides are the same.
constexpr int64_t kFewTokens = 8;

// y = RN(x weight^T), all dense: x (T, C), weight (F, C), y (T, F).
template <typename Storage>
void Project(const Storage* x, const Storage* weight, int64_t T, int64_t F, int64_t C, Storage* y) {
  const auto tokens = Packed<'T', 'C'>(x, T, C);
  const auto rows = Packed<'F', 'C'>(weight, F, C);
  const auto out = Packed<'T', 'F'>(y, T, F);
  if (T <= kFewTokens) {
    linear::slices_per_warp(tokens, rows, out, 1);
  } else {
    linear::register_tiles(tokens, rows, out, 1);
  }
}

// Puts k and v into the cache from row `first` on, then lets q attend to it.
template <typename Storage>
void AppendAndAttend(View<const Storage, 'T', 'H', 'D'> q, View<const Storage, 'T', 'G', 'D'> k,
                     View<const Storage, 'T', 'G', 'D'> v, View<const int64_t, 'T'> positions,
                     int64_t first, int64_t chunk, View<Storage, 'S', 'G', 'D'> keys,
                     View<Storage, 'S', 'G', 'D'> values, View<Storage, 'T', 'H', 'D'> y) {
  kv_append::chunk_per_thread(k, v, first, keys, values);
  if (Extent<'T'>(q) <= kFewTokens) {
    attention::split_blocks(q, keys, values, positions, chunk, y, 1);
  } else {
    attention::query_tiles(q, keys, values, positions, chunk, y, 1);
  }
}

}  // namespace touchstone::kernels
