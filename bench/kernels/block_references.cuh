// The references of the blocks of a layer: their ops one after the other, as the steps in lab/ops
// have them.
#pragma once

#include <cstdint>
#include <vector>

#include "bench/kernels/chain_references.cuh"

namespace touchstone::bench {

template <typename Storage>
void MoeBlockReference(View<const Storage, 'T', 'C'> x, View<const Storage, 'E', 'C'> router,
                       View<const Storage, 'E', 'F', 'C'> gate,
                       View<const Storage, 'E', 'F', 'C'> up,
                       View<const Storage, 'E', 'C', 'F'> down,
                       View<const Storage, 'F', 'C'> shared_gate,
                       View<const Storage, 'F', 'C'> shared_up,
                       View<const Storage, 'C', 'F'> shared_down, int64_t active,
                       View<Storage, 'T', 'C'> y) {
  const int64_t T = x.shape[0], C = x.shape[1], E = router.shape[0], F = shared_gate.shape[0];
  const int64_t A = active, R = T * A;
  std::vector<Storage> logits(static_cast<size_t>(T * E)), scores(static_cast<size_t>(R)),
      rows(static_cast<size_t>(R * C)), g(static_cast<size_t>(R * F)), u(g.size()), inner(g.size()),
      routed(static_cast<size_t>(T * C)), shared(routed.size());
  std::vector<int64_t> chosen(scores.size()), row_token(scores.size()),
      offsets(static_cast<size_t>(E + 1));

  // The router is a linear of E outputs.
  const View<const Storage, 'F', 'C'> router_weight{router.data, router.shape, router.stride};
  Linear<Storage>(x, router_weight, Packed<'T', 'F'>(logits.data(), T, E), 16);
  const auto chosen_view = Packed<'T', 'A'>(chosen.data(), T, A);
  const auto scores_view = Packed<'T', 'A'>(scores.data(), T, A);
  Router<Storage>(Packed<'T', 'E'>(logits.data(), T, E), chosen_view, scores_view);

  const auto rows_view = Packed<'R', 'C'>(rows.data(), R, C);
  const auto tokens_view = Packed<'R'>(row_token.data(), R);
  const auto offsets_view = Packed<'O'>(offsets.data(), E + 1);
  Dispatch<Storage>(x, chosen_view, scores_view, rows_view, tokens_view, offsets_view);
  ExpertLinear<Storage>(rows_view, gate, offsets_view, Packed<'R', 'F'>(g.data(), R, F), 16);
  ExpertLinear<Storage>(rows_view, up, offsets_view, Packed<'R', 'F'>(u.data(), R, F), 16);
  SwiGlu<Storage>(Packed<'T', 'F'>(g.data(), R, F), Packed<'T', 'F'>(u.data(), R, F),
                  Packed<'T', 'F'>(inner.data(), R, F));
  // down is (E, C, F): the experts' output width is C.
  const View<const Storage, 'E', 'F', 'C'> down_weight{down.data, down.shape, down.stride};
  ExpertLinear<Storage>(Packed<'R', 'C'>(inner.data(), R, F), down_weight, offsets_view,
                        Packed<'R', 'F'>(rows.data(), R, C), 16);
  const auto routed_view = Packed<'T', 'C'>(routed.data(), T, C);
  Combine<Storage>(rows_view, tokens_view, routed_view);

  const auto shared_view = Packed<'T', 'C'>(shared.data(), T, C);
  FeedForwardReference<Storage>(x, shared_gate, shared_up, shared_down, shared_view);
  ResidualAdd<Storage>(shared_view, routed_view, y);
}

// What both attention blocks do: the projections, `turn` on queries and keys, the cache, attention
// and the output's projection.
template <typename Storage, typename Turn>
void AttentionOf(View<const Storage, 'T', 'C'> x, View<const Storage, 'Q', 'C'> wq,
                 View<const Storage, 'W', 'C'> wk, View<const Storage, 'W', 'C'> wv,
                 View<const Storage, 'C', 'Q'> wo, View<const int64_t, 'T'> positions,
                 int64_t first, int64_t chunk, View<Storage, 'S', 'G', 'D'> keys,
                 View<Storage, 'S', 'G', 'D'> values, View<Storage, 'T', 'C'> y, const Turn& turn) {
  const int64_t T = x.shape[0], C = x.shape[1], G = keys.shape[1], D = keys.shape[2];
  const int64_t Q = wq.shape[0], W = wk.shape[0], H = Q / D;
  std::vector<Storage> q(static_cast<size_t>(T * Q)), k(static_cast<size_t>(T * W)), v(k.size()),
      attended(q.size());
  const auto project = [&](const auto& weight, std::vector<Storage>* out) {
    const View<const Storage, 'F', 'C'> as_weight{weight.data, weight.shape, weight.stride};
    Linear<Storage>(x, as_weight, Packed<'T', 'F'>(out->data(), T, weight.shape[0]), 16);
  };
  project(wq, &q);
  project(wk, &k);
  project(wv, &v);
  turn(Packed<'T', 'H', 'D'>(q.data(), T, H, D), Packed<'T', 'H', 'D'>(k.data(), T, G, D));
  KvAppend<Storage>(Packed<'T', 'G', 'D'>(k.data(), T, G, D),
                    Packed<'T', 'G', 'D'>(v.data(), T, G, D), first, keys, values);
  Attention<Storage>(Packed<'T', 'H', 'D'>(q.data(), T, H, D), keys, values, positions, chunk,
                     Packed<'T', 'H', 'D'>(attended.data(), T, H, D), 16);
  const View<const Storage, 'F', 'C'> as_weight{wo.data, wo.shape, wo.stride};
  Linear<Storage>(Packed<'T', 'C'>(attended.data(), T, Q), as_weight,
                  View<Storage, 'T', 'F'>{y.data, {T, C}, y.stride}, 16);
}

template <typename Storage>
void AttentionBlockReference(View<const Storage, 'T', 'C'> x, View<const Storage, 'Q', 'C'> wq,
                             View<const Storage, 'W', 'C'> wk, View<const Storage, 'W', 'C'> wv,
                             View<const Storage, 'C', 'Q'> wo,
                             View<const float, 'T', 'J', '2'> table,
                             View<const int64_t, 'T'> positions, int64_t first, float eps,
                             int64_t chunk, View<Storage, 'S', 'G', 'D'> keys,
                             View<Storage, 'S', 'G', 'D'> values, View<Storage, 'T', 'C'> y) {
  AttentionOf<Storage>(x, wq, wk, wv, wo, positions, first, chunk, keys, values, y,
                       [&](View<Storage, 'T', 'H', 'D'> q, View<Storage, 'T', 'H', 'D'> k) {
                         for (const auto& one : {q, k}) {
                           RopeQkNormReference<Storage>(one, table, eps, one);
                         }
                       });
}

template <typename Storage>
void NopeAttentionBlockReference(View<const Storage, 'T', 'C'> x, View<const Storage, 'Q', 'C'> wq,
                                 View<const Storage, 'W', 'C'> wk, View<const Storage, 'W', 'C'> wv,
                                 View<const Storage, 'C', 'Q'> wo,
                                 View<const int64_t, 'T'> positions, int64_t first,
                                 float floor_scale, float attn_scale,
                                 View<Storage, 'S', 'G', 'D'> keys,
                                 View<Storage, 'S', 'G', 'D'> values, View<Storage, 'T', 'C'> y) {
  AttentionOf<Storage>(
      x, wq, wk, wv, wo, positions, first, 0, keys, values, y,
      [&](View<Storage, 'T', 'H', 'D'> q, View<Storage, 'T', 'H', 'D'>) {
        std::vector<Storage> scaled(static_cast<size_t>(q.shape[0] * q.shape[1] * q.shape[2]));
        Temperature<Storage>(
            q, positions, floor_scale, attn_scale,
            Packed<'T', 'H', 'D'>(scaled.data(), q.shape[0], q.shape[1], q.shape[2]));
        std::copy(scaled.begin(), scaled.end(), q.data);
      });
}

}  // namespace touchstone::bench
