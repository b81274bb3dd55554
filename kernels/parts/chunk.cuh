// Sixteen bytes of a tensor, read and written at once: 8 values of bf16 or 4 of f32.
#pragma once

#include <cstdint>

#include "kernels/simt/simt.cuh"

namespace touchstone::kernels {

template <typename Storage>
constexpr int kChunk = 16 / sizeof(Storage);

template <typename Storage>
struct alignas(16) Chunk {
  Storage value[kChunk<Storage>];
};

// Whether all of these addresses are multiples of 16. Host side.
template <typename... T>
bool IsWide(const T*... data) {
  return ((reinterpret_cast<uintptr_t>(data) | ...) % 16) == 0;
}

// The chunk at `data`: by one access where `wide`, which needs all of it; else its first `count`
// values, one by one.
template <typename Storage>
__device__ __forceinline__ Chunk<Storage> LoadChunk(const Storage* data, int64_t count, bool wide) {
  if (wide && count >= kChunk<Storage>) return *reinterpret_cast<const Chunk<Storage>*>(data);
  Chunk<Storage> chunk = {};
#pragma unroll
  for (int i = 0; i < kChunk<Storage>; ++i) {
    if (i < count) chunk.value[i] = data[i];
  }
  return chunk;
}

template <typename Storage>
__device__ __forceinline__ void StoreChunk(const Chunk<Storage>& chunk, int64_t count, bool wide,
                                           Storage* data) {
  if (wide && count >= kChunk<Storage>) {
    *reinterpret_cast<Chunk<Storage>*>(data) = chunk;
    return;
  }
#pragma unroll
  for (int i = 0; i < kChunk<Storage>; ++i) {
    if (i < count) data[i] = chunk.value[i];
  }
}

}  // namespace touchstone::kernels
