// The attention block of a layer with RoPE as launches of the kernels of its ops, one after the
// other; what lies between them is in device memory.
// architectures: 80 90 100
#include "kernels/parts/attention_launches.h"
#include "kernels/rope_qk_norm/warp_per_head.h"
#include "reference/ops/chains.h"

namespace touchstone::kernels::attention_block {
namespace {

template <typename Storage>
void Run(View<const Storage, 'T', 'C'> x, View<const Storage, 'Q', 'C'> wq,
         View<const Storage, 'W', 'C'> wk, View<const Storage, 'W', 'C'> wv,
         View<const Storage, 'C', 'Q'> wo, View<const float, 'T', 'J', '2'> table,
         View<const int64_t, 'T'> positions, int64_t first, float eps, int64_t chunk,
         View<Storage, 'S', 'G', 'D'> keys, View<Storage, 'S', 'G', 'D'> values,
         View<Storage, 'T', 'C'> y) {
  const int64_t T = Extent<'T'>(x, table, positions, y), C = Extent<'C'>(x, wq, wk, wv, wo, y);
  const int64_t Q = Extent<'Q'>(wq, wo), W = Extent<'W'>(wk, wv);
  const int64_t G = Extent<'G'>(keys, values), D = Extent<'D'>(keys, values);
  TOUCHSTONE_REQUIRE(D > 0 && Q % D == 0 && W == G * D);
  const int64_t H = Q / D;

  const simt::DeviceBuffer<Storage> q_buffer(T * Q), k_buffer(T * W), v_buffer(T * W);
  const simt::DeviceBuffer<Storage> q_normed_buffer(T * Q), k_normed_buffer(T * W);
  const simt::DeviceBuffer<Storage> attended_buffer(T * Q);
  const auto q = Packed<'T', 'H', 'D'>(q_buffer.data(), T, H, D);
  const auto k = Packed<'T', 'G', 'D'>(k_buffer.data(), T, G, D);
  const auto v = Packed<'T', 'G', 'D'>(v_buffer.data(), T, G, D);
  const auto q_normed = Packed<'T', 'H', 'D'>(q_normed_buffer.data(), T, H, D);
  const auto k_normed = Packed<'T', 'G', 'D'>(k_normed_buffer.data(), T, G, D);
  const auto attended = Packed<'T', 'H', 'D'>(attended_buffer.data(), T, H, D);

  Project<Storage>(Dense(x), Dense(wq), T, Q, C, q.data);
  Project<Storage>(Dense(x), Dense(wk), T, W, C, k.data);
  Project<Storage>(Dense(x), Dense(wv), T, W, C, v.data);
  rope_qk_norm::warp_per_head(q, table, eps, q_normed);
  rope_qk_norm::warp_per_head(Packed<'T', 'H', 'D'>(k.data, T, G, D), table, eps,
                              Packed<'T', 'H', 'D'>(k_normed.data, T, G, D));
  AppendAndAttend<Storage>(q_normed, k_normed, v, positions, first, chunk, keys, values, attended);
  Project<Storage>(attended.data, Dense(wo), T, C, Q, Dense(y));
}

}  // namespace

void launches(View<const float, 'T', 'C'> x, View<const float, 'Q', 'C'> wq,
              View<const float, 'W', 'C'> wk, View<const float, 'W', 'C'> wv,
              View<const float, 'C', 'Q'> wo, View<const float, 'T', 'J', '2'> table,
              View<const int64_t, 'T'> positions, int64_t first, float eps, int64_t chunk,
              View<float, 'S', 'G', 'D'> keys, View<float, 'S', 'G', 'D'> values,
              View<float, 'T', 'C'> y) {
  Run(x, wq, wk, wv, wo, table, positions, first, eps, chunk, keys, values, y);
}
void launches(View<const Bf16, 'T', 'C'> x, View<const Bf16, 'Q', 'C'> wq,
              View<const Bf16, 'W', 'C'> wk, View<const Bf16, 'W', 'C'> wv,
              View<const Bf16, 'C', 'Q'> wo, View<const float, 'T', 'J', '2'> table,
              View<const int64_t, 'T'> positions, int64_t first, float eps, int64_t chunk,
              View<Bf16, 'S', 'G', 'D'> keys, View<Bf16, 'S', 'G', 'D'> values,
              View<Bf16, 'T', 'C'> y) {
  Run(x, wq, wk, wv, wo, table, positions, first, eps, chunk, keys, values, y);
}

}  // namespace touchstone::kernels::attention_block
