// RMSNorm, one warp a token: the row is read once, by 16 bytes a thread, and stays in registers.
// architectures: 80 90 100
//
// A chunk of bf16 is 8 channels, so that 32 threads cover the 256 lanes of rule N4 in one load:
// thread l holds the lanes 8 l ... 8 l + 7 in its slots 0..7. f32 takes two loads. The fold by 128,
// 64, 32, 16 and 8 adds the slots of the threads 16, 8, 4, 2 and 1 further on; the fold by 4, 2 and
// 1 stays within thread 0.
//
// Rows of up to kStripes * 256 channels; longer ones, and rows that are no multiple of a chunk, are
// read twice by the same code.
#include "kernels/parts/chunk.cuh"
#include "kernels/parts/dense.h"
#include "kernels/simt/simt.cuh"
#include "reference/ops/rmsnorm/rmsnorm.h"

namespace touchstone::kernels::rmsnorm {
namespace {

constexpr int kWarps = 4;
constexpr int kThreads = kWarps * simt::kWarpSize;
constexpr int kSlots = 8;     // lanes a thread
constexpr int kStripes = 20;  // of 256 channels: the published width of 5120

// Channels 8 l ... 8 l + 7 of a stripe, of which `count` exist.
template <typename Storage>
struct Octet {
  Chunk<Storage> chunk[kSlots / kChunk<Storage>];

  __device__ __forceinline__ float value(int i) const {
    return Widen(chunk[i / kChunk<Storage>].value[i % kChunk<Storage>]);
  }
};

template <typename Storage>
__device__ __forceinline__ Octet<Storage> LoadOctet(const Storage* data, int64_t count, bool wide) {
  Octet<Storage> octet;
#pragma unroll
  for (int i = 0; i < kSlots / kChunk<Storage>; ++i) {
    octet.chunk[i] = LoadChunk(data + i * kChunk<Storage>, count - i * kChunk<Storage>, wide);
  }
  return octet;
}

// Squares join the lanes; what lies past the row's end does not.
template <typename Storage>
__device__ __forceinline__ void Join(const Octet<Storage>& octet, int64_t count,
                                     float (&slot)[kSlots]) {
#pragma unroll
  for (int i = 0; i < kSlots; ++i) {
    if (i < count) slot[i] = fmaf(octet.value(i), octet.value(i), slot[i]);
  }
}

// The folded sum, in every thread of the warp.
__device__ __forceinline__ float Fold(float (&slot)[kSlots]) {
#pragma unroll
  for (unsigned half = 16; half >= 1; half /= 2) {
#pragma unroll
    for (int i = 0; i < kSlots; ++i) {
      slot[i] = slot[i] + __shfl_down_sync(simt::kWholeWarp, slot[i], half);
    }
  }
#pragma unroll
  for (int half = kSlots / 2; half >= 1; half /= 2) {
#pragma unroll
    for (int i = 0; i < half; ++i) slot[i] = slot[i] + slot[i + half];
  }
  return __shfl_sync(simt::kWholeWarp, slot[0], 0);
}

template <typename Storage>
__device__ __forceinline__ void Scale(const Octet<Storage>& octet, const Storage* weight, float r,
                                      int64_t count, bool wide, Storage* y) {
#pragma unroll
  for (int i = 0; i < kSlots / kChunk<Storage>; ++i) {
    const int64_t left = count - i * kChunk<Storage>;
    const Chunk<Storage> w = LoadChunk(weight + i * kChunk<Storage>, left, wide);
    Chunk<Storage> out = octet.chunk[i];
#pragma unroll
    for (int j = 0; j < kChunk<Storage>; ++j) {
      out.value[j] = Narrow<Storage>(RoundTo<Storage>(Widen(out.value[j]) * r) * Widen(w.value[j]));
    }
    StoreChunk(out, left, wide, y + i * kChunk<Storage>);
  }
}

template <typename Storage>
__global__ void __launch_bounds__(kThreads)
    RowInRegisters(const Storage* x, const Storage* weight, float eps, int64_t T, int64_t C,
                   bool wide, Storage* y) {
  const int64_t t = int64_t{blockIdx.x} * kWarps + threadIdx.x / simt::kWarpSize;
  if (t >= T) return;  // the whole warp
  const int64_t begin = threadIdx.x % simt::kWarpSize * kSlots;
  constexpr int64_t kStripe = simt::kWarpSize * kSlots;
  const Storage* row = x + t * C;
  const bool fits = wide && C <= kStripes * kStripe;

  float slot[kSlots] = {};
  Octet<Storage> kept[kStripes] = {};
  if (fits) {
#pragma unroll
    for (int s = 0; s < kStripes; ++s) {
      const int64_t c = s * kStripe + begin;
      if (c < C) kept[s] = LoadOctet(row + c, C - c, wide);
    }
#pragma unroll
    for (int s = 0; s < kStripes; ++s) Join(kept[s], C - (s * kStripe + begin), slot);
  } else {
    for (int64_t c = begin; c < C; c += kStripe) Join(LoadOctet(row + c, C - c, wide), C - c, slot);
  }
  const float sum = Fold(slot);

  const float r = 1.0f / sqrtf(sum / static_cast<float>(C) + eps);
  if (fits) {
#pragma unroll
    for (int s = 0; s < kStripes; ++s) {
      const int64_t c = s * kStripe + begin;
      if (c < C) Scale(kept[s], weight + c, r, C - c, wide, y + t * C + c);
    }
  } else {
    for (int64_t c = begin; c < C; c += kStripe) {
      Scale(LoadOctet(row + c, C - c, wide), weight + c, r, C - c, wide, y + t * C + c);
    }
  }
}

template <typename Storage>
void Run(View<const Storage, 'T', 'C'> x, View<const Storage, 'C'> weight, float eps,
         View<Storage, 'T', 'C'> y) {
  const int64_t T = Extent<'T'>(x, y), C = Extent<'C'>(x, weight, y);
  TOUCHSTONE_REQUIRE(C > 0);
  if (T == 0) return;
  const bool wide = IsWide(x.data, weight.data, y.data) && C % kSlots == 0;
  simt::Launch({.grid = dim3(simt::BlocksFor(T, kWarps)), .block = dim3(kThreads)},
               RowInRegisters<Storage>, Dense(x), Dense(weight), eps, T, C, wide, Dense(y));
}

}  // namespace

void row_in_registers(View<const float, 'T', 'C'> x, View<const float, 'C'> weight, float eps,
                      View<float, 'T', 'C'> y) {
  Run(x, weight, eps, y);
}
void row_in_registers(View<const Bf16, 'T', 'C'> x, View<const Bf16, 'C'> weight, float eps,
                      View<Bf16, 'T', 'C'> y) {
  Run(x, weight, eps, y);
}

}  // namespace touchstone::kernels::rmsnorm
