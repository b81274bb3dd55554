#include "kernels/model/device_backend.h"

#include "kernels/model/staged_call.h"
#include "kernels/simt/simt.cuh"

// The host functions that the files under kernels/ define.
#define TOUCHSTONE_KERNEL(op, Function, algorithm) \
  namespace touchstone::kernels::op {              \
  decltype(Function<float>) algorithm;             \
  decltype(Function<Bf16>) algorithm;              \
  }
TOUCHSTONE_KERNEL(rmsnorm, RmsNorm, block_per_row)

namespace touchstone::kernels {
namespace {

template <typename Storage>
void Put(ReplaceableOps<Storage>* ops) {
#define TOUCHSTONE_STAGED(op, Function, algorithm) \
  ops->op = Staged<static_cast<std::decay_t<decltype(Function<Storage>)>>(op::algorithm)>::Call;
  TOUCHSTONE_STAGED(rmsnorm, RmsNorm, block_per_row)
#undef TOUCHSTONE_STAGED
}

}  // namespace

void PutKernels(Backend* backend) {
  Put(&backend->f32);
  Put(&backend->bf16);
}

}  // namespace touchstone::kernels
