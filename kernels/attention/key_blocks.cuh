// What every attention kernel knows of rule N7: which keys a query sees, in which blocks of 512
// positions they lie, and how the softmax of a block joins that of the blocks before it.
#pragma once

#include <algorithm>
#include <cmath>

#include "kernels/parts/chunk.cuh"
#include "kernels/simt/simt.cuh"
#include "reference/arithmetic/functions.h"
#include "reference/arithmetic/lanes.h"
#include "reference/formats/bf16.h"
#include "reference/formats/require.h"

namespace touchstone::kernels::attention {

constexpr int kBlock = 512;  // positions

// The rows of a contiguous cache; a PagedCache has the same function.
template <typename Storage>
struct ContiguousRows {
  const Storage* data;
  int64_t row;  // G D values

  __device__ __forceinline__ const Storage* Row(int64_t position) const {
    return data + position * row;
  }
};

// Sizes and attributes of a call.
struct Shape {
  int64_t T, S, H, G, D;
  int64_t chunk;  // 0: global
  float scale;    // RN32(1 / sqrt(D)), N12
};

// Host side: the shape, once it is known to be one.
inline Shape CheckedShape(int64_t T, int64_t S, int64_t H, int64_t G, int64_t D, int64_t chunk) {
  TOUCHSTONE_REQUIRE(D > 0 && G > 0 && H % G == 0 && chunk >= 0);
  return {T, S, H, G, D, chunk, static_cast<float>(1.0 / std::sqrt(static_cast<double>(D)))};
}

// The keys [begin, end).
struct Keys {
  int64_t begin, end;
};

// What a position sees. No key at all: begin = end.
__device__ __forceinline__ Keys Visible(int64_t position, const Shape& shape) {
  simt::Require(position >= 0);
  const int64_t first = shape.chunk > 0 ? position - position % shape.chunk : 0;
  const int64_t end = position < shape.S ? position + 1 : shape.S;
  return {std::min(first, end), end};
}

// Those of them in block b, counted from position 0; end <= begin where there are none.
__device__ __forceinline__ Keys InBlock(Keys visible, int64_t b) {
  return {std::max(visible.begin, b * kBlock), std::min(visible.end, (b + 1) * kBlock)};
}

// How many blocks hold visible keys; the first is begin / 512.
__device__ __forceinline__ int64_t BlockCount(Keys visible) {
  if (visible.begin >= visible.end) return 0;
  return (visible.end - 1) / kBlock - visible.begin / kBlock + 1;
}

// sum * a + block * c, each step rounded.
__device__ __forceinline__ float Merged(float sum, float a, float block, float c) {
  const float scaled = sum * a, joining = block * c;
  return scaled + joining;
}

// The largest of all lanes' values.
__device__ __forceinline__ float WarpMaximum(float value) {
#pragma unroll
  for (int half = 16; half >= 1; half /= 2) {
    value = Maximum(value, __shfl_xor_sync(simt::kWholeWarp, value, half));
  }
  return value;
}

// Sixteen bytes of storage in binary32.
template <typename Storage>
__device__ __forceinline__ void WidenChunk(uint4 chunk, float (&value)[kChunk<Storage>]) {
  const unsigned word[4] = {chunk.x, chunk.y, chunk.z, chunk.w};
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    if constexpr (sizeof(Storage) == 4) {
      value[i] = __uint_as_float(word[i]);
    } else {
      value[2 * i] = __uint_as_float(word[i] << 16);  // bf16: the first in the lower half
      value[2 * i + 1] = __uint_as_float(word[i] & 0xffff0000);
    }
  }
}

}  // namespace touchstone::kernels::attention
