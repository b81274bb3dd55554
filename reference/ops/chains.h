// The types of functions that compute a chain of reference/ops.def in one go. A chain adds no
// formula: its bits are those of its ops one after the other, every rounding place included, so the
// reference declares these functions and defines none. A fused kernel defines one of the same type.
//
// Shapes and attributes are those of lab/ops/<chain>.cc; Q = H D, W = G D.
#pragma once

#include "reference/formats/bf16.h"
#include "reference/formats/view.h"

namespace touchstone {

// sum = RN(h + delta); y = RMSNorm(sum)
template <typename Storage>
void ResidualAddRmsnorm(View<const Storage, 'T', 'C'> h, View<const Storage, 'T', 'C'> delta,
                        View<const Storage, 'C'> weight, float eps, View<Storage, 'T', 'C'> sum,
                        View<Storage, 'T', 'C'> y);

// y = QK norm(RoPE(x))
template <typename Storage>
void RopeQkNorm(View<const Storage, 'T', 'H', 'D'> x, View<const float, 'T', 'J', '2'> table,
                float eps, View<Storage, 'T', 'H', 'D'> y);

// y = SwiGLU(RN(x gate^T), RN(x up^T))
template <typename Storage>
void GateUpSwiglu(View<const Storage, 'T', 'C'> x, View<const Storage, 'F', 'C'> gate,
                  View<const Storage, 'F', 'C'> up, View<Storage, 'T', 'F'> y);

// y = RN(SwiGLU(RN(x gate^T), RN(x up^T)) down^T)
template <typename Storage>
void FeedForward(View<const Storage, 'T', 'C'> x, View<const Storage, 'F', 'C'> gate,
                 View<const Storage, 'F', 'C'> up, View<const Storage, 'C', 'F'> down,
                 View<Storage, 'T', 'C'> y);

// Router, experts and shared expert; `active` experts a token.
template <typename Storage>
void MoeBlock(View<const Storage, 'T', 'C'> x, View<const Storage, 'E', 'C'> router,
              View<const Storage, 'E', 'F', 'C'> gate, View<const Storage, 'E', 'F', 'C'> up,
              View<const Storage, 'E', 'C', 'F'> down, View<const Storage, 'F', 'C'> shared_gate,
              View<const Storage, 'F', 'C'> shared_up, View<const Storage, 'C', 'F'> shared_down,
              int64_t active, View<Storage, 'T', 'C'> y);

// A layer with RoPE: projections, RoPE and QK norm of queries and keys, the cache from row `first`
// on, chunked attention (chunk 0: global), output projection.
template <typename Storage>
void AttentionBlock(View<const Storage, 'T', 'C'> x, View<const Storage, 'Q', 'C'> wq,
                    View<const Storage, 'W', 'C'> wk, View<const Storage, 'W', 'C'> wv,
                    View<const Storage, 'C', 'Q'> wo, View<const float, 'T', 'J', '2'> table,
                    View<const int64_t, 'T'> positions, int64_t first, float eps, int64_t chunk,
                    View<Storage, 'S', 'G', 'D'> keys, View<Storage, 'S', 'G', 'D'> values,
                    View<Storage, 'T', 'C'> y);

// A layer without RoPE: projections, temperature of the queries, the cache, global attention,
// output projection.
template <typename Storage>
void NopeAttentionBlock(View<const Storage, 'T', 'C'> x, View<const Storage, 'Q', 'C'> wq,
                        View<const Storage, 'W', 'C'> wk, View<const Storage, 'W', 'C'> wv,
                        View<const Storage, 'C', 'Q'> wo, View<const int64_t, 'T'> positions,
                        int64_t first, float floor_scale, float attn_scale,
                        View<Storage, 'S', 'G', 'D'> keys, View<Storage, 'S', 'G', 'D'> values,
                        View<Storage, 'T', 'C'> y);

}  // namespace touchstone
