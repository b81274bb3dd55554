// The second launch of split attention: the softmaxes of a query head's blocks become one, in
// ascending order (N7). One thread block a query and head, a thread a d.
//
// Maxima have no order, so a scan over the blocks gives n of every step at once; a warp makes the
// factors a and c of 32 blocks in its lanes. What is left in order is o * a + o_b * c.
#pragma once

#include "kernels/attention/key_blocks.cuh"

namespace touchstone::kernels::attention {

// One softmax a query, head and block.
struct Partials {
  float* m;  // (T, H, blocks)
  float* l;  // (T, H, blocks)
  float* o;  // (T, H, blocks, D)
  int64_t H, blocks;

  __device__ __forceinline__ int64_t Index(int64_t token, int64_t h, int64_t b) const {
    return (token * H + h) * blocks + b;
  }
};

class PartialBuffers {
 public:
  PartialBuffers(int64_t T, int64_t H, int64_t blocks, int64_t D)
      : H_(H), blocks_(blocks), m_(T * H * blocks), l_(T * H * blocks), o_(T * H * blocks * D) {}
  Partials partials() const { return {m_.data(), l_.data(), o_.data(), H_, blocks_}; }

 private:
  int64_t H_, blocks_;
  simt::DeviceBuffer<float> m_, l_, o_;
};

// Host side: no query sees more blocks. A chunk that is no multiple of a block begins within one.
inline int64_t BlockBound(const Shape& shape) {
  const int64_t all = (shape.S + kBlock - 1) / kBlock;
  if (shape.chunk == 0) return all;
  return std::min(all, shape.chunk / kBlock + (shape.chunk % kBlock == 0 ? 0 : 2));
}

constexpr int kMergeThreads = 128;

template <typename Storage>
__global__ void __launch_bounds__(kMergeThreads)
    MergeBlocks(Partials in, const int64_t* positions, Shape shape, int64_t first_token,
                Storage* y) {
  const int64_t token = blockIdx.x / shape.H, h = blockIdx.x % shape.H;
  const int lane = threadIdx.x % simt::kWarpSize;
  const int64_t blocks = BlockCount(Visible(positions[first_token + token], shape));
  const int64_t row = in.Index(token, h, 0);
  Storage* out = y + ((first_token + token) * shape.H + h) * shape.D;

  for (int64_t d0 = 0; d0 < shape.D; d0 += kMergeThreads) {
    const int64_t d = d0 + threadIdx.x;
    const bool exists = d < shape.D;
    float m = 0.0f, l = 1.0f, o = 0.0f;  // no block: +0
    for (int64_t b0 = 0; b0 < blocks; b0 += simt::kWarpSize) {
      const bool mine = b0 + lane < blocks;
      const float m_b = mine ? in.m[row + b0 + lane] : 0.0f;
      const float l_b = mine ? in.l[row + b0 + lane] : 0.0f;
      float n = b0 > 0 && lane == 0 ? Maximum(m, m_b) : m_b;
#pragma unroll
      for (int step = 1; step < 32; step *= 2) {
        const float lower = __shfl_up_sync(simt::kWholeWarp, n, step);
        if (lane >= step) n = Maximum(lower, n);
      }
      const float previous = __shfl_up_sync(simt::kWholeWarp, n, 1);
      const float a = Exp((lane == 0 ? m : previous) - n);
      const float c = Exp(m_b - n);
      m = __shfl_sync(simt::kWholeWarp, n, 31);

      const int count = static_cast<int>(std::min<int64_t>(simt::kWarpSize, blocks - b0));
#pragma unroll 4
      for (int i = 0; i < count; ++i) {
        const float o_i = exists ? in.o[(row + b0 + i) * shape.D + d] : 0.0f;
        const float l_i = __shfl_sync(simt::kWholeWarp, l_b, i);
        const float a_i = __shfl_sync(simt::kWholeWarp, a, i);
        const float c_i = __shfl_sync(simt::kWholeWarp, c, i);
        const bool first = b0 + i == 0;
        l = first ? l_i : Merged(l, a_i, l_i, c_i);
        o = first ? o_i : Merged(o, a_i, o_i, c_i);
      }
    }
    if (exists) out[d] = Narrow<Storage>(o / l);
  }
}

template <typename Storage>
void LaunchMergeBlocks(const Partials& in, const int64_t* positions, const Shape& shape,
                       int64_t first_token, int64_t tokens, Storage* y) {
  simt::Launch({.grid = dim3(simt::BlocksFor(tokens * shape.H, 1)), .block = dim3(kMergeThreads)},
               MergeBlocks<Storage>, in, positions, shape, first_token, y);
}

}  // namespace touchstone::kernels::attention
