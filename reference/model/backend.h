// Which functions compute the ops of a forward pass. The model calls every op that has a recipe
// through this table; whoever runs it may put candidates of the same bits in. The default is the
// reference.
#pragma once

#include <type_traits>

#include "reference/formats/bf16.h"
#include "reference/ops/attention/attention.h"
#include "reference/ops/combine/combine.h"
#include "reference/ops/dispatch/dispatch.h"
#include "reference/ops/embedding/embedding.h"
#include "reference/ops/expert_linear/expert_linear.h"
#include "reference/ops/kv_append/kv_append.h"
#include "reference/ops/linear/linear.h"
#include "reference/ops/logits/logits.h"
#include "reference/ops/qk_norm/qk_norm.h"
#include "reference/ops/residual_add/residual_add.h"
#include "reference/ops/rmsnorm/rmsnorm.h"
#include "reference/ops/rope/rope.h"
#include "reference/ops/router/router.h"
#include "reference/ops/swiglu/swiglu.h"
#include "reference/ops/temperature/temperature.h"

namespace touchstone {

// Pointers to functions, by decay: nvcc 13.0 takes decltype(F<T>)* for a pointer to a reference.
template <typename Storage>
struct ReplaceableOps {
  std::decay_t<decltype(Embedding<Storage>)> embedding = Embedding<Storage>;
  std::decay_t<decltype(RmsNorm<Storage>)> rmsnorm = RmsNorm<Storage>;
  std::decay_t<decltype(Linear<Storage>)> linear = Linear<Storage>;
  std::decay_t<decltype(Rope<Storage>)> rope = Rope<Storage>;
  std::decay_t<decltype(QkNorm<Storage>)> qk_norm = QkNorm<Storage>;
  std::decay_t<decltype(Temperature<Storage>)> temperature = Temperature<Storage>;
  std::decay_t<decltype(KvAppend<Storage>)> kv_append = KvAppend<Storage>;
  std::decay_t<decltype(Attention<Storage>)> attention = Attention<Storage>;
  std::decay_t<decltype(ResidualAdd<Storage>)> residual_add = ResidualAdd<Storage>;
  std::decay_t<decltype(Router<Storage>)> router = Router<Storage>;
  std::decay_t<decltype(Dispatch<Storage>)> dispatch = Dispatch<Storage>;
  std::decay_t<decltype(ExpertLinear<Storage>)> expert_linear = ExpertLinear<Storage>;
  std::decay_t<decltype(SwiGlu<Storage>)> swiglu = SwiGlu<Storage>;
  std::decay_t<decltype(Combine<Storage>)> combine = Combine<Storage>;
  std::decay_t<decltype(Logits<Storage>)> logits = Logits<Storage>;
};

struct Backend {
  ReplaceableOps<float> f32;
  ReplaceableOps<Bf16> bf16;

  template <typename Storage>
  const ReplaceableOps<Storage>& of() const {
    if constexpr (std::is_same_v<Storage, float>) {
      return f32;
    } else {
      return bf16;
    }
  }
};

}  // namespace touchstone
