// Mixture-of-experts block on rows that are sorted by expert: the kernels of its ops one after the
// other, but gate, up and SwiGLU in one launch, for the experts here and for the shared expert.
// architectures: 80 90 100
//
//   route    logits, choice and scores, rows of all experts (op dispatch)
//   experts  gate, up and SwiGLU (parts/expert_gate_up.cuh), then down; by slices of chains where
//            experts have up to 16 rows on the average, else by tiles
//   add      the routed sum of every token, then the shared expert plus that
//
// Nothing returns to the host: offsets stay on the device, grids are sized by upper bounds.
#include "kernels/combine/list_per_token.h"
#include "kernels/dispatch/block_per_expert.h"
#include "kernels/expert_linear/register_tiles.h"
#include "kernels/expert_linear/slices_per_warp.h"
#include "kernels/feed_forward/fused_gate_up.h"
#include "kernels/linear/by_tokens.h"
#include "kernels/parts/dense.h"
#include "kernels/parts/expert_gate_up.cuh"
#include "kernels/residual_add/chunk_per_thread.h"
#include "kernels/router/warp_per_token.h"

namespace touchstone::kernels::moe_block {
namespace {

template <typename Storage>
void Run(View<const Storage, 'T', 'C'> x, View<const Storage, 'E', 'C'> router,
         View<const Storage, 'E', 'F', 'C'> gate, View<const Storage, 'E', 'F', 'C'> up,
         View<const Storage, 'E', 'C', 'F'> down, View<const Storage, 'F', 'C'> shared_gate,
         View<const Storage, 'F', 'C'> shared_up, View<const Storage, 'C', 'F'> shared_down,
         int64_t active, View<Storage, 'T', 'C'> y) {
  const int64_t T = Extent<'T'>(x, y), E = Extent<'E'>(router, gate, up, down);
  const int64_t C = Extent<'C'>(x, router, gate, up, down, shared_gate, shared_up, shared_down, y);
  const int64_t F = Extent<'F'>(gate, up, down, shared_gate, shared_up, shared_down);
  const int64_t A = active, R = T * A;
  TOUCHSTONE_REQUIRE(0 < A && A <= E);
  if (T == 0) return;

  const simt::DeviceBuffer<Storage> logits(T * E), scores(T * A);
  const simt::DeviceBuffer<int64_t> chosen(T * A), row_token(R), offsets(E + 1);
  const simt::DeviceBuffer<Storage> rows(R * C), activation(R * F), expert_output(R * C);
  const simt::DeviceBuffer<Storage> routed(T * C);
  const auto rows_of = Packed<'R', 'C'>(rows.data(), R, C);
  const auto row_token_of = Packed<'R'>(row_token.data(), R);
  const auto offsets_of = Packed<'O'>(offsets.data(), E + 1);
  const auto chosen_of = Packed<'T', 'A'>(chosen.data(), T, A);
  const auto scores_of = Packed<'T', 'A'>(scores.data(), T, A);
  const View<const Storage, 'T', 'C'> routed_of = Packed<'T', 'C'>(routed.data(), T, C);

  const View<const Storage, 'F', 'C'> router_weight{router.data, router.shape, router.stride};
  linear::ByTokens(x, router_weight, Packed<'T', 'F'>(logits.data(), T, E));
  const View<const Storage, 'T', 'E'> logits_of = Packed<'T', 'E'>(logits.data(), T, E);
  router::warp_per_token(logits_of, chosen_of, scores_of);
  dispatch::block_per_expert(x, chosen_of, scores_of, rows_of, row_token_of, offsets_of);

  ExpertGateUp(static_cast<const Storage*>(rows.data()), Dense(gate), Dense(up), offsets.data(), R,
               E, F, C, activation.data());
  const View<const Storage, 'R', 'C'> expert_input = Packed<'R', 'C'>(activation.data(), R, F);
  const View<const Storage, 'E', 'F', 'C'> expert_down{down.data, down.shape, down.stride};
  const auto expert_outputs = Packed<'R', 'F'>(expert_output.data(), R, C);
  if (R <= 16 * E) {
    expert_linear::slices_per_warp(expert_input, expert_down, offsets_of, expert_outputs, 1);
  } else {
    expert_linear::register_tiles(expert_input, expert_down, offsets_of, expert_outputs, 1);
  }
  const View<const Storage, 'R', 'C'> outputs = Packed<'R', 'C'>(expert_output.data(), R, C);
  combine::list_per_token(outputs, row_token_of, Packed<'T', 'C'>(routed.data(), T, C));

  feed_forward::fused_gate_up(x, shared_gate, shared_up, shared_down, y);
  residual_add::chunk_per_thread(y, routed_of, y);
}

}  // namespace

void sorted_rows(View<const float, 'T', 'C'> x, View<const float, 'E', 'C'> router,
                 View<const float, 'E', 'F', 'C'> gate, View<const float, 'E', 'F', 'C'> up,
                 View<const float, 'E', 'C', 'F'> down, View<const float, 'F', 'C'> shared_gate,
                 View<const float, 'F', 'C'> shared_up, View<const float, 'C', 'F'> shared_down,
                 int64_t active, View<float, 'T', 'C'> y) {
  Run(x, router, gate, up, down, shared_gate, shared_up, shared_down, active, y);
}
void sorted_rows(View<const Bf16, 'T', 'C'> x, View<const Bf16, 'E', 'C'> router,
                 View<const Bf16, 'E', 'F', 'C'> gate, View<const Bf16, 'E', 'F', 'C'> up,
                 View<const Bf16, 'E', 'C', 'F'> down, View<const Bf16, 'F', 'C'> shared_gate,
                 View<const Bf16, 'F', 'C'> shared_up, View<const Bf16, 'C', 'F'> shared_down,
                 int64_t active, View<Bf16, 'T', 'C'> y) {
  Run(x, router, gate, up, down, shared_gate, shared_up, shared_down, active, y);
}

}  // namespace touchstone::kernels::moe_block
