// Temperature, one block a token: one thread computes the factor, all scale the heads by it.
// architectures: 80 90 100
#include "kernels/parts/chunk.cuh"
#include "kernels/parts/dense.h"
#include "kernels/simt/simt.cuh"
#include "reference/arithmetic/functions.h"
#include "reference/ops/temperature/temperature.h"

namespace touchstone::kernels::temperature {
namespace {

constexpr int kThreads = 128;

struct Factor {
  float temperature;
};

template <typename Storage>
__global__ void __launch_bounds__(kThreads)
    BlockPerToken(const Storage* q, const int64_t* positions, float floor_scale, float attn_scale,
                  int64_t width, bool wide, Storage* y) {
  auto& factor = simt::Shared<Factor>();
  if (threadIdx.x == 0) {
    const int64_t position = positions[blockIdx.x];
    simt::Require(0 <= position && position < (int64_t{1} << 24) - 1);
    const float steps = floorf(static_cast<float>(position + 1) / floor_scale);
    const float growth = Log(steps + 1.0f) * attn_scale;
    factor.temperature = growth + 1.0f;
  }
  __syncthreads();
  const float temperature = factor.temperature;

  const Storage* row = q + blockIdx.x * width;
  Storage* out = y + blockIdx.x * width;
  for (int64_t i = threadIdx.x * kChunk<Storage>; i < width; i += kThreads * kChunk<Storage>) {
    Chunk<Storage> chunk = LoadChunk(row + i, width - i, wide);
#pragma unroll
    for (int j = 0; j < kChunk<Storage>; ++j) {
      chunk.value[j] = Narrow<Storage>(Widen(chunk.value[j]) * temperature);
    }
    StoreChunk(chunk, width - i, wide, out + i);
  }
}

template <typename Storage>
void Run(View<const Storage, 'T', 'H', 'D'> q, View<const int64_t, 'T'> positions,
         float floor_scale, float attn_scale, View<Storage, 'T', 'H', 'D'> y) {
  const int64_t T = Extent<'T'>(q, positions, y);
  const int64_t width = Extent<'H'>(q, y) * Extent<'D'>(q, y);
  TOUCHSTONE_REQUIRE(floor_scale > 0.0f);
  if (T == 0) return;
  const bool wide = IsWide(q.data, y.data) && width % kChunk<Storage> == 0;
  simt::Launch({.grid = dim3(simt::BlocksFor(T, 1)), .block = dim3(kThreads)},
               BlockPerToken<Storage>, Dense(q), Dense(positions), floor_scale, attn_scale, width,
               wide, Dense(y));
}

}  // namespace

void block_per_token(View<const float, 'T', 'H', 'D'> q, View<const int64_t, 'T'> positions,
                     float floor_scale, float attn_scale, View<float, 'T', 'H', 'D'> y) {
  Run(q, positions, floor_scale, attn_scale, y);
}
void block_per_token(View<const Bf16, 'T', 'H', 'D'> q, View<const int64_t, 'T'> positions,
                     float floor_scale, float attn_scale, View<Bf16, 'T', 'H', 'D'> y) {
  Run(q, positions, floor_scale, attn_scale, y);
}

}  // namespace touchstone::kernels::temperature
