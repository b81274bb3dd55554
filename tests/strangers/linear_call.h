// What the plug-ins here share: a call of op linear as matrices of floats, and the outputs back in
// the recipe's storage. Each plug-in hands the matrices to a library that nobody here wrote, or does
// on purpose what a wrong kernel does.
#pragma once

#include <cstdint>
#include <vector>

#include "lab/include/touchstone.h"
#include "reference/formats/bf16.h"

namespace touchstone::strangers {

struct LinearCall {
  int64_t T = 0, C = 0, F = 0;
  bool is_bf16 = false;
  std::vector<float> x, weight;  // (T, C), (F, C), exact
  std::vector<float> y;          // (T, F), zero

  explicit LinearCall(const touchstone_call& call)
      : T(call.inputs[0].shape[0]),
        C(call.inputs[0].shape[1]),
        F(call.inputs[1].shape[0]),
        is_bf16(call.recipe == TOUCHSTONE_BF16),
        x(Floats(call.inputs[0])),
        weight(Floats(call.inputs[1])),
        y(static_cast<size_t>(T * F)) {}

  // Stores y, each element rounded once; the columns from `columns` on are left unwritten.
  void Store(const touchstone_call& call, int64_t columns) const {
    for (int64_t i = 0; i < T * F; ++i) {
      if (i % F >= columns) continue;
      const float value = y[static_cast<size_t>(i)];
      if (is_bf16) {
        static_cast<Bf16*>(call.outputs[0].data)[i] = NarrowToBf16(value);
      } else {
        static_cast<float*>(call.outputs[0].data)[i] = value;
      }
    }
  }
  void Store(const touchstone_call& call) const { Store(call, F); }

 private:
  std::vector<float> Floats(const touchstone_tensor& tensor) const {
    std::vector<float> values(static_cast<size_t>(tensor.shape[0] * tensor.shape[1]));
    for (size_t i = 0; i < values.size(); ++i) {
      values[i] = is_bf16 ? Widen(static_cast<const Bf16*>(tensor.data)[i])
                          : static_cast<const float*>(tensor.data)[i];
    }
    return values;
  }
};

// A kernel for the processor, in every recipe.
constexpr touchstone_kernel OnProcessor(const char* name, int (*run)(const touchstone_call*)) {
  return {TOUCHSTONE_ABI,
          sizeof(touchstone_kernel),
          name,
          "linear",
          TOUCHSTONE_F32 | TOUCHSTONE_BF16,
          TOUCHSTONE_CPU,
          nullptr,
          nullptr,
          run};
}

}  // namespace touchstone::strangers
