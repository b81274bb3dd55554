// Rule N4 with neighbouring lanes in one thread: thread t of a warp holds the lanes 8 t ... 8 t + 7
// of the 256 in its slots 0..7, so that one 16-byte load of bf16 (two of f32) brings a thread's
// part of a stripe of 256 elements. A row of at most 128 elements takes half a warp: the lanes from
// 128 on stay +0, and +0 added to a sum of squares changes no bit.
#pragma once

#include <bit>
#include <cstdint>

#include "kernels/parts/chunk.cuh"
#include "kernels/simt/simt.cuh"
#include "reference/formats/bf16.h"

namespace touchstone::kernels {

constexpr int kOctet = 8;
constexpr int64_t kStripe = simt::kWarpSize * kOctet;  // elements

// Eight elements in a row, in the words that a wide load brings: as long as they are packed a kept
// row of bf16 takes half the registers.
template <typename Storage>
struct Octet {
  static constexpr int kWords = kOctet * sizeof(Storage) / sizeof(uint32_t);
  uint32_t word[kWords];

  __device__ __forceinline__ float value(int i) const {
    if constexpr (kWords == kOctet) {
      return std::bit_cast<float>(word[i]);
    } else {
      const uint32_t bits = i % 2 == 0 ? word[i / 2] : word[i / 2] >> 16;
      return Widen(Bf16{static_cast<uint16_t>(bits)});
    }
  }
};

// Eight values, each rounded to storage.
template <typename Storage>
__device__ __forceinline__ Octet<Storage> NarrowOctet(const float (&value)[kOctet]) {
  Octet<Storage> octet;
#pragma unroll
  for (int i = 0; i < Octet<Storage>::kWords; ++i) {
    if constexpr (Octet<Storage>::kWords == kOctet) {
      octet.word[i] = std::bit_cast<uint32_t>(value[i]);
    } else {
      const uint32_t even = NarrowToBf16(value[2 * i]).bits;
      const uint32_t odd = NarrowToBf16(value[2 * i + 1]).bits;
      octet.word[i] = even | odd << 16;
    }
  }
  return octet;
}

// As LoadChunk and StoreChunk: the elements from `count` on are +0, and are not stored.
template <typename Storage>
__device__ __forceinline__ Octet<Storage> LoadOctet(const Storage* data, int64_t count, bool wide) {
  Octet<Storage> octet;
#pragma unroll
  for (int i = 0; i < kOctet / kChunk<Storage>; ++i) {
    const int first = i * kChunk<Storage>;
    const Chunk<Storage> chunk = LoadChunk(data + first, count - first, wide);
    const uint4 words = std::bit_cast<uint4>(chunk);
    octet.word[4 * i] = words.x;
    octet.word[4 * i + 1] = words.y;
    octet.word[4 * i + 2] = words.z;
    octet.word[4 * i + 3] = words.w;
  }
  return octet;
}

template <typename Storage>
__device__ __forceinline__ void StoreOctet(const Octet<Storage>& octet, int64_t count, bool wide,
                                           Storage* data) {
#pragma unroll
  for (int i = 0; i < kOctet / kChunk<Storage>; ++i) {
    const int first = i * kChunk<Storage>;
    const uint4 words = make_uint4(octet.word[4 * i], octet.word[4 * i + 1], octet.word[4 * i + 2],
                                   octet.word[4 * i + 3]);
    StoreChunk(std::bit_cast<Chunk<Storage>>(words), count - first, wide, data + first);
  }
}

// The squares join their lanes. A +0 past the row's end changes none.
template <typename Storage>
__device__ __forceinline__ void JoinSquares(const Octet<Storage>& octet, float (&slot)[kOctet]) {
#pragma unroll
  for (int i = 0; i < kOctet; ++i) {
    const float value = octet.value(i);
    slot[i] = fmaf(value, value, slot[i]);
  }
}

// The folded sum of each group of kThreads threads, 32 or 16, in every thread of it. All threads of
// the warp must call.
//
// Lanes that are added lie in threads whose numbers differ in one bit. While a thread has several
// slots, the two of a pair share them: each takes half and sends the other its own of the other
// half. So a fold in which every thread kept all slots, 40 shuffles, takes 12. The bits of a
// thread's number then tell which slot it has: the last three folds, among slots, go along the same
// bits.
template <int kThreads>
__device__ __forceinline__ float FoldOctetLanes(const float (&lanes)[kOctet]) {
  static_assert(kThreads == 32 || kThreads == 16);
  float slot[kOctet];
#pragma unroll
  for (int i = 0; i < kOctet; ++i) slot[i] = lanes[i];

  unsigned bit = kThreads / 2;
#pragma unroll
  for (int kept = kOctet / 2; kept >= 1; kept /= 2, bit /= 2) {
    const bool upper = (threadIdx.x & bit) != 0;
#pragma unroll
    for (int i = 0; i < kept; ++i) {
      const float mine = upper ? slot[i + kept] : slot[i];
      const float sent = upper ? slot[i] : slot[i + kept];
      slot[i] = mine + __shfl_xor_sync(simt::kWholeWarp, sent, bit);
    }
  }
  float sum = slot[0];
#pragma unroll
  for (; bit >= 1; bit /= 2) sum = sum + __shfl_xor_sync(simt::kWholeWarp, sum, bit);
#pragma unroll
  for (bit = kThreads / 2; bit >= kThreads / kOctet; bit /= 2) {
    sum = sum + __shfl_xor_sync(simt::kWholeWarp, sum, bit);
  }
  return sum;
}

}  // namespace touchstone::kernels
