// Which functions compute the ops that have quicker candidates of the same bits. The model calls
// them through this table; whoever runs it may put others in. The default is the reference.
#pragma once

#include <type_traits>

#include "reference/formats/bf16.h"
#include "reference/ops/linear/linear.h"
#include "reference/ops/rmsnorm/rmsnorm.h"

namespace touchstone {

template <typename Storage>
struct ReplaceableOps {
  decltype(Linear<Storage>)* linear = Linear<Storage>;
  decltype(RmsNorm<Storage>)* rmsnorm = RmsNorm<Storage>;
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
