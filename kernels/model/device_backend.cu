#include "kernels/model/device_backend.h"

#include <type_traits>

#include "kernels/attention/query_tiles.h"
#include "kernels/attention/split_blocks.h"
#include "kernels/linear/by_tokens.h"
#include "kernels/model/staged_call.h"

// The host functions that the files under kernels/ define and that no header declares.
#define TOUCHSTONE_KERNEL(op, Function, algorithm) \
  namespace touchstone::kernels::op {              \
  decltype(Function<float>) algorithm;             \
  decltype(Function<Bf16>) algorithm;              \
  }
TOUCHSTONE_KERNEL(embedding, Embedding, block_per_token)
TOUCHSTONE_KERNEL(rmsnorm, RmsNorm, row_in_registers)
TOUCHSTONE_KERNEL(rope, Rope, chunk_per_thread)
TOUCHSTONE_KERNEL(qk_norm, QkNorm, warp_per_head)
TOUCHSTONE_KERNEL(temperature, Temperature, block_per_token)
TOUCHSTONE_KERNEL(kv_append, KvAppend, chunk_per_thread)
TOUCHSTONE_KERNEL(residual_add, ResidualAdd, chunk_per_thread)
TOUCHSTONE_KERNEL(router, Router, warp_per_token)
TOUCHSTONE_KERNEL(dispatch, Dispatch, block_per_expert)
TOUCHSTONE_KERNEL(expert_linear, ExpertLinear, register_tiles)
TOUCHSTONE_KERNEL(expert_linear, ExpertLinear, slices_per_warp)
TOUCHSTONE_KERNEL(swiglu, SwiGlu, chunk_per_thread)
TOUCHSTONE_KERNEL(combine, Combine, list_per_token)
TOUCHSTONE_KERNEL(logits, Logits, register_tiles)
TOUCHSTONE_KERNEL(logits, Logits, slices_per_warp)

namespace touchstone::kernels {
namespace {

// Ops with a kernel for few tokens and one for many; both give the same bits.
template <typename Storage>
void LinearByTokens(View<const Storage, 'T', 'C'> x, View<const Storage, 'F', 'C'> weight,
                    View<Storage, 'T', 'F'> y, int) {
  linear::ByTokens(x, weight, y);
}
template <typename Storage>
void LogitsByTokens(View<const Storage, 'T', 'C'> x, View<const Storage, 'V', 'C'> weight,
                    View<float, 'T', 'V'> y, int) {
  if (Extent<'T'>(x, y) <= linear::kFewTokens) {
    logits::slices_per_warp(x, weight, y, 1);
  } else {
    logits::register_tiles(x, weight, y, 1);
  }
}
template <typename Storage>
void ExpertLinearByRows(View<const Storage, 'R', 'C'> x, View<const Storage, 'E', 'F', 'C'> weight,
                        View<const int64_t, 'O'> offsets, View<Storage, 'R', 'F'> y, int) {
  if (Extent<'R'>(x, y) <= linear::kFewTokens) {
    expert_linear::slices_per_warp(x, weight, offsets, y, 1);
  } else {
    expert_linear::register_tiles(x, weight, offsets, y, 1);
  }
}
template <typename Storage>
void AttentionByTokens(View<const Storage, 'T', 'H', 'D'> q,
                       View<const Storage, 'S', 'G', 'D'> keys,
                       View<const Storage, 'S', 'G', 'D'> values,
                       View<const int64_t, 'T'> positions, int64_t chunk,
                       View<Storage, 'T', 'H', 'D'> y, int) {
  if (Extent<'T'>(q, y) <= 8) {
    attention::split_blocks(q, keys, values, positions, chunk, y, 1);
  } else {
    attention::query_tiles(q, keys, values, positions, chunk, y, 1);
  }
}

template <typename Storage>
void Put(ReplaceableOps<Storage>* ops) {
#define TOUCHSTONE_STAGED(op, Function, kernel) \
  ops->op = Staged<static_cast<std::decay_t<decltype(Function<Storage>)>>(kernel)>::Call;
  TOUCHSTONE_STAGED(embedding, Embedding, embedding::block_per_token)
  TOUCHSTONE_STAGED(rmsnorm, RmsNorm, rmsnorm::row_in_registers)
  TOUCHSTONE_STAGED(linear, Linear, LinearByTokens)
  TOUCHSTONE_STAGED(rope, Rope, rope::chunk_per_thread)
  TOUCHSTONE_STAGED(qk_norm, QkNorm, qk_norm::warp_per_head)
  TOUCHSTONE_STAGED(temperature, Temperature, temperature::block_per_token)
  TOUCHSTONE_STAGED(kv_append, KvAppend, kv_append::chunk_per_thread)
  TOUCHSTONE_STAGED(attention, Attention, AttentionByTokens)
  TOUCHSTONE_STAGED(residual_add, ResidualAdd, residual_add::chunk_per_thread)
  TOUCHSTONE_STAGED(router, Router, router::warp_per_token)
  TOUCHSTONE_STAGED(dispatch, Dispatch, dispatch::block_per_expert)
  TOUCHSTONE_STAGED(expert_linear, ExpertLinear, ExpertLinearByRows)
  TOUCHSTONE_STAGED(swiglu, SwiGlu, swiglu::chunk_per_thread)
  TOUCHSTONE_STAGED(combine, Combine, combine::list_per_token)
  TOUCHSTONE_STAGED(logits, Logits, LogitsByTokens)
#undef TOUCHSTONE_STAGED
}

}  // namespace

void PutKernels(Backend* backend) {
  Put(&backend->f32);
  Put(&backend->bf16);
}

}  // namespace touchstone::kernels
