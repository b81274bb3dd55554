// Which reference judges a kernel: that of its op, or of a chain its steps one after the other.
#pragma once

#include <string>
#include <type_traits>

#include "bench/kernels/block_references.cuh"

namespace touchstone::bench {

// Throws std::out_of_range where there is none.
template <typename Storage>
Forgotten ReferenceOf(const std::string& op) {
#define OP(word, Function)                                                       \
  if (op == #word) {                                                             \
    using Pointer = std::decay_t<decltype(Function<Storage>)>;                   \
    return reinterpret_cast<Forgotten>(static_cast<Pointer>(Function<Storage>)); \
  }
#define OP_F32(word, Function) \
  if (op == #word) return reinterpret_cast<Forgotten>(&Function);
#define CHAIN(word, steps)
#include "reference/ops.def"
#undef OP
#undef OP_F32
#undef CHAIN
#define CHAIN(word, Function) \
  if (op == #word) return reinterpret_cast<Forgotten>(&Function<Storage>);
  CHAIN(residual_add_rmsnorm, ResidualAddRmsnormReference)
  CHAIN(rope_qk_norm, RopeQkNormReference)
  CHAIN(gate_up_swiglu, GateUpSwigluReference)
  CHAIN(feed_forward, FeedForwardReference)
  CHAIN(moe_block, MoeBlockReference)
  CHAIN(attention_block, AttentionBlockReference)
  CHAIN(nope_attention_block, NopeAttentionBlockReference)
#undef CHAIN
  throw std::out_of_range("no reference of " + op);
}

}  // namespace touchstone::bench
