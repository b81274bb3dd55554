// Mixture-of-experts block on rows that are sorted by expert: the kernels of its ops one after the
// other, but gate, up and SwiGLU in one launch, for the experts here and for the shared expert.
// architectures: 80 90 100
//
//   route    logits, choice and scores, rows of all experts (op dispatch)
//   experts  gate and up in tiles of an expert's rows x 64 outputs (parts/gate_up_tiles.cuh), then
//            down
//   add      the routed sum of every token, then the shared expert plus that
//
// Nothing returns to the host: offsets stay on the device, grids are sized by upper bounds.
#include "kernels/combine/list_per_token.h"
#include "kernels/dispatch/block_per_expert.h"
#include "kernels/expert_linear/register_tiles.h"
#include "kernels/feed_forward/fused_gate_up.h"
#include "kernels/linear/register_tiles.h"
#include "kernels/parts/dense.h"
#include "kernels/parts/gate_up_tiles.cuh"
#include "kernels/parts/ragged_tiles.cuh"
#include "kernels/residual_add/chunk_per_thread.h"
#include "kernels/router/warp_per_token.h"

namespace touchstone::kernels::moe_block {
namespace {

template <typename Storage, int kThreadRows>
__global__ void __launch_bounds__(kChainThreads, 2)
    ExpertGateUp(const Storage* x, const Storage* gate, const Storage* up, const int64_t* offsets,
                 int64_t R, int64_t E, int64_t F, int64_t C, bool wide, Storage* y) {
  const RaggedTile tile = FindRaggedTile(offsets, E, R, blockIdx.x, 8 * kThreadRows);
  if (tile.rows == 0) return;  // the whole block
  const int64_t f0 = int64_t{blockIdx.y} * kGateUpColumns, weight = (tile.group * F + f0) * C;
  GateUpTile<Storage, kThreadRows>(x + tile.row * C, gate + weight, up + weight, tile.rows, F - f0,
                                   C, wide, y + tile.row * F + f0, F);
}

template <int kThreadRows, typename Storage>
void LaunchGateUp(const Storage* x, const Storage* gate, const Storage* up, const int64_t* offsets,
                  int64_t R, int64_t E, int64_t F, int64_t C, Storage* y) {
  const bool wide = ChainIsWide(x, gate, C) && ChainIsWide(x, up, C);
  simt::Launch({.grid = dim3(simt::BlocksFor(RaggedTiles(R, E, 8 * kThreadRows), 1),
                             simt::BlocksFor(F, kGateUpColumns)),
                .block = dim3(kChainThreads),
                .dynamic_shared = ChainTileSharedBytes<Storage, kThreadRows>(C)},
               ExpertGateUp<Storage, kThreadRows>, x, gate, up, offsets, R, E, F, C, wide, y);
}

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
  linear::register_tiles(x, router_weight, Packed<'T', 'F'>(logits.data(), T, E), 1);
  const View<const Storage, 'T', 'E'> logits_of = Packed<'T', 'E'>(logits.data(), T, E);
  router::warp_per_token(logits_of, chosen_of, scores_of);
  dispatch::block_per_expert(x, chosen_of, scores_of, rows_of, row_token_of, offsets_of);

  const auto gate_up = R > 64 * E   ? LaunchGateUp<16, Storage>
                       : R > 32 * E ? LaunchGateUp<8, Storage>
                                    : LaunchGateUp<4, Storage>;
  if (F > 0) {
    gate_up(rows.data(), Dense(gate), Dense(up), offsets.data(), R, E, F, C, activation.data());
  }
  const View<const Storage, 'R', 'C'> expert_input = Packed<'R', 'C'>(activation.data(), R, F);
  const View<const Storage, 'E', 'F', 'C'> expert_down{down.data, down.shape, down.stride};
  expert_linear::register_tiles(expert_input, expert_down, offsets_of,
                                Packed<'R', 'F'>(expert_output.data(), R, C), 1);
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
