// The turn of a RoPE pair: two products and one difference or sum each, every one rounded.
//
// The sums are written as an fma by 1, which has the bits of a plain one: x0_cos - x1_sin beside
// x0_sin + x1_cos is what g++ 12.2 fuses into vfmaddsub at -O3 with FMA instructions, whatever
// -ffp-contract says. An fma cannot be fused again. On a GPU both are one instruction.
#pragma once

#include "kernels/simt/simt.cuh"

namespace touchstone::kernels {

struct Rotated {
  float even, odd;
};

__device__ __forceinline__ Rotated Rotate(float x0, float x1, float cosine, float sine) {
  const float x0_cos = x0 * cosine, x1_sin = x1 * sine;
  const float x0_sin = x0 * sine, x1_cos = x1 * cosine;
  return {fmaf(1.0f, x0_cos, -x1_sin), fmaf(1.0f, x0_sin, x1_cos)};
}

}  // namespace touchstone::kernels
