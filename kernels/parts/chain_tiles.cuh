// A tile of chains (rule N3): 8 kThreadRows x 128 outputs of x weight^T by a block of 128 threads.
// Every output is one thread's, and its chain is written out below, so that tiles of any kernel
// (dense, gathered rows, ragged groups) give the same bits.
//
//   roles    warps stand 2 x 2, lanes 4 x 8; a thread owns kThreadRows x 8 outputs, rows 4 apart
//            and columns 8 apart: lanes side by side read rows side by side
//   memory   a step is 16 of k. The rows of x and of weight lie in shared memory in binary32 and,
//            as in global memory, k fastest: a 16-byte read is 4 of k, and nothing is transposed
//   steps    step s + 2 is being copied while s is computed; one barrier a step. binary32 is copied
//            to its place; bf16 lands in slots of the thread that asked for it, which widens it
//            once for all readers
//   slices   a slice is 32 steps. The total of the earlier slices waits in shared memory, so that
//            all registers belong to the running slice
//   tails    beyond C, x is +0 and weight is -0: fma(+0, -0, acc) adds -0, which leaves every acc
//            as it is, also the -0 of a chain that underflowed from below; adding +0 would not
//
// A kernel of kChainThreads threads with ChainTileSharedBytes<...>(C) of dynamic shared memory
// calls ChainTile and then stores sum[i][j], which is output (ChainRow(i), ChainColumn(j)).
// All threads of the block call it; before a second call, or another use of the dynamic shared
// memory, there must be a barrier.
#pragma once

#include <algorithm>
#include <type_traits>

#include "kernels/ptx/cp_async.cuh"
#include "kernels/simt/simt.cuh"
#include "reference/arithmetic/chain.h"
#include "reference/formats/bf16.h"

namespace touchstone::kernels {

constexpr int kChainThreads = 128;
constexpr int kThreadColumns = 8;
constexpr int kTileColumns = 128;

// Row i and column j of the running thread. Lane bit 0 belongs to the row: neighbours share a
// column and, with it, one read of a weight.
template <int kThreadRows>
__device__ __forceinline__ int ChainRow(int i) {
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  return warp / 2 * (4 * kThreadRows) + lane / 16 * 2 + lane % 2 + 4 * i;
}
__device__ __forceinline__ int ChainColumn(int j) {
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  return warp % 2 * 64 + lane / 2 % 8 + 8 * j;
}

constexpr int kStep = 16;          // of k
constexpr int kQuads = kStep / 4;  // float4s in a step of a row
constexpr int kSliceSteps = kSliceLength / kStep;

using QuadRow = float4[kQuads];

// Quad q of a row lies at place q ^ Swizzle(row), so that eight rows side by side meet all banks.
__device__ __forceinline__ int Swizzle(int row) { return row / 2 % kQuads; }

// Two bf16 in each word, the first in the lower half.
__device__ __forceinline__ float4 WidenedPairs(unsigned a, unsigned b) {
  return make_float4(__uint_as_float(a << 16), __uint_as_float(a & 0xffff0000),
                     __uint_as_float(b << 16), __uint_as_float(b & 0xffff0000));
}

// The copying of one side's rows, kRows of them, in chunks of 16 bytes.
template <typename Storage, int kRows>
struct ChainCopies {
  static constexpr bool kInPlace = std::is_same_v<Storage, float>;
  static constexpr int kTiles = kInPlace ? 3 : 2;            // in place, one more is under way
  static constexpr int kChunk = 16 / sizeof(Storage);        // values
  static constexpr int kRowChunks = kStep / kChunk;          // in a step of a row
  static constexpr int kApart = kChainThreads / kRowChunks;  // rows, between chunks of a thread
  static constexpr int kCount = (kRows + kApart - 1) / kApart;
  static_assert(kApart % 8 == 0);  // the swizzle is that of the first chunk

  struct Slots {
    uint4 chunk[2][kCount][kChainThreads];
  };
  struct NoSlots {};
  struct Shared {
    QuadRow tile[kTiles][kRows];
    std::conditional_t<kInPlace, NoSlots, Slots> slots;
  };

  const Storage* from[kCount];  // the thread's chunks of step 0
  int row, chunk;               // of the first

  // A row that does not exist is replaced by the last one; its outputs mean nothing.
  template <typename RowOf>
  __device__ __forceinline__ ChainCopies(int rows, const RowOf& row_of)
      : row(threadIdx.x / kRowChunks), chunk(threadIdx.x % kRowChunks) {
#pragma unroll
    for (int i = 0; i < kCount; ++i) {
      from[i] = row_of(std::min(row + i * kApart, rows - 1)) + chunk * kChunk;
    }
  }

  // Whether the thread has a chunk i.
  __device__ __forceinline__ bool Has(int i) const {
    return kRows % kApart == 0 || row + i * kApart < kRows;
  }

  // Asks for the thread's chunks of a step that lies within C.
  __device__ __forceinline__ void Issue(Shared& shared, int step) const {
#pragma unroll
    for (int i = 0; i < kCount; ++i) {
      if (!Has(i)) continue;
      void* to;
      if constexpr (kInPlace) {
        to = Quad(shared, step, i, 0);
      } else {
        to = &shared.slots.chunk[step % 2][i][threadIdx.x];
      }
      ptx::CpAsync16(to, from[i] + static_cast<int64_t>(step) * kStep);
    }
  }

  // What is left to do once an issued step has arrived: bf16 becomes binary32.
  __device__ __forceinline__ void Land(Shared& shared, int step) const {
    if constexpr (!kInPlace) {
#pragma unroll
      for (int i = 0; i < kCount; ++i) {
        if (!Has(i)) continue;
        const uint4 pairs = shared.slots.chunk[step % 2][i][threadIdx.x];
        *Quad(shared, step, i, 0) = WidenedPairs(pairs.x, pairs.y);
        *Quad(shared, step, i, 1) = WidenedPairs(pairs.z, pairs.w);
      }
    }
  }

  // A step without Issue, value by value; beyond C they are `pad`.
  __device__ __forceinline__ void Load(Shared& shared, int step, int64_t C, float pad) const {
#pragma unroll
    for (int i = 0; i < kCount; ++i) {
      if (!Has(i)) continue;
      const int64_t k = static_cast<int64_t>(step) * kStep;
#pragma unroll 1
      for (int v = 0; v < kChunk; ++v) {
        const float value = k + chunk * kChunk + v < C ? Widen(from[i][k + v]) : pad;
        reinterpret_cast<float*>(Quad(shared, step, i, v / 4))[v % 4] = value;
      }
    }
  }

  static __device__ __forceinline__ const QuadRow* Tile(const Shared& shared, int step) {
    return shared.tile[step % kTiles];
  }

  // Where quad q of chunk i belongs.
  __device__ __forceinline__ float4* Quad(Shared& shared, int step, int i, int q) const {
    const int place = (chunk * (kChunk / 4) + q) ^ Swizzle(row);
    return &shared.tile[step % kTiles][row + i * kApart][place];
  }
};

template <typename Storage, int kThreadRows>
struct ChainTileShared {
  typename ChainCopies<Storage, 8 * kThreadRows>::Shared x;
  typename ChainCopies<Storage, kTileColumns>::Shared weight;
  float4 total[kThreadRows * 2][kChainThreads];  // only where C is above one slice
};

template <typename Storage, int kThreadRows>
constexpr size_t ChainTileSharedBytes(int64_t C) {
  using Shared = ChainTileShared<Storage, kThreadRows>;
  return C > kSliceLength ? sizeof(Shared) : sizeof(Shared) - sizeof(Shared::total);
}

// Host side: whether the rows of two dense matrices with C columns can be copied by 16 bytes.
template <typename Storage>
bool ChainIsWide(const Storage* x, const Storage* weight, int64_t C) {
  const auto bits = reinterpret_cast<uintptr_t>(x) | reinterpret_cast<uintptr_t>(weight);
  return (bits | static_cast<uintptr_t>(C) * sizeof(Storage)) % 16 == 0;
}

// 16 of k for all outputs of the thread, each by fma in ascending k.
template <int kThreadRows>
__device__ __forceinline__ void ChainStep(const QuadRow* x, const QuadRow* weight,
                                          float (&sum)[kThreadRows][kThreadColumns]) {
  const int row = ChainRow<kThreadRows>(0), column = ChainColumn(0);
#pragma unroll 1  // two at a time would not fit into the registers
  for (int q = 0; q < kQuads; ++q) {
    float4 w[kThreadColumns];
#pragma unroll
    for (int j = 0; j < kThreadColumns; ++j) {
      w[j] = weight[column + 8 * j][q ^ Swizzle(column)];
    }
#pragma unroll
    for (int i = 0; i < kThreadRows; ++i) {
      // Swizzle(row + 4 * i), of which the compiler sees the part that i decides.
      const float4 a = x[row + 4 * i][q ^ Swizzle(4 * i) ^ Swizzle(row)];
#pragma unroll
      for (int j = 0; j < kThreadColumns; ++j) sum[i][j] = fmaf(a.x, w[j].x, sum[i][j]);
#pragma unroll
      for (int j = 0; j < kThreadColumns; ++j) sum[i][j] = fmaf(a.y, w[j].y, sum[i][j]);
#pragma unroll
      for (int j = 0; j < kThreadColumns; ++j) sum[i][j] = fmaf(a.z, w[j].z, sum[i][j]);
#pragma unroll
      for (int j = 0; j < kThreadColumns; ++j) sum[i][j] = fmaf(a.w, w[j].w, sum[i][j]);
    }
  }
}

// sum[i][j] = the chain over C of row ChainRow(i) of x with row ChainColumn(j) of weight, where
// these are below `rows` and `columns`, both at least 1; else it means nothing. row_of_x(r) and
// row_of_weight(c) are pointers to C values, asked for r < rows and c < columns only. wide: all
// these pointers are multiples of 16.
template <typename Storage, int kThreadRows, typename RowOfX, typename RowOfWeight>
__device__ __forceinline__ void ChainTile(int rows, int columns, int64_t C, bool wide,
                                          const RowOfX& row_of_x, const RowOfWeight& row_of_weight,
                                          float (&sum)[kThreadRows][kThreadColumns]) {
  using CopiesOfX = ChainCopies<Storage, 8 * kThreadRows>;
  using CopiesOfWeight = ChainCopies<Storage, kTileColumns>;
  auto& shared = *simt::DynamicShared<ChainTileShared<Storage, kThreadRows>>();
  const CopiesOfX x(rows, row_of_x);
  const CopiesOfWeight weight(columns, row_of_weight);
  const int steps = static_cast<int>((C + kStep - 1) / kStep);
  const int issued = wide ? static_cast<int>(C / kStep) : 0;  // the others are loaded
  const bool live = ChainRow<kThreadRows>(0) < rows && ChainColumn(0) < columns;

  const auto issue = [&](int step) {
    if (step < issued) {
      x.Issue(shared.x, step);
      weight.Issue(shared.weight, step);
    }
    ptx::CpAsyncCommit();  // one group a step, be it empty
  };
  issue(0);
  issue(1);

  float4* total = &shared.total[0][threadIdx.x];
  int step = 0;
  do {
#pragma unroll
    for (int i = 0; i < kThreadRows; ++i) {
#pragma unroll
      for (int j = 0; j < kThreadColumns; ++j) sum[i][j] = 0.0f;
    }
    const int end = step + kSliceSteps < steps ? step + kSliceSteps : steps;
    const bool first = step == 0, last = end == steps;
#pragma unroll 1
    for (; step < end && step < issued; ++step) {
      ptx::CpAsyncWait<1>();
      x.Land(shared.x, step);
      weight.Land(shared.weight, step);
      __syncthreads();  // the step is complete, and the step before it is read
      issue(step + 2);
      if (live) ChainStep(x.Tile(shared.x, step), weight.Tile(shared.weight, step), sum);
    }
#pragma unroll 1
    for (; step < end; ++step) {
      x.Load(shared.x, step, C, 0.0f);
      weight.Load(shared.weight, step, C, -0.0f);
      __syncthreads();
      if (live) ChainStep(x.Tile(shared.x, step), weight.Tile(shared.weight, step), sum);
    }
    if (first && last) break;
#pragma unroll
    for (int i = 0; i < kThreadRows; ++i) {
#pragma unroll
      for (int j = 0; j < kThreadColumns; j += 4) {
        float4& all = total[(i * 2 + j / 4) * kChainThreads];
        if (!first) {
          const float4 before = all;
          sum[i][j] = before.x + sum[i][j];
          sum[i][j + 1] = before.y + sum[i][j + 1];
          sum[i][j + 2] = before.z + sum[i][j + 2];
          sum[i][j + 3] = before.w + sum[i][j + 3];
        }
        if (!last) all = make_float4(sum[i][j], sum[i][j + 1], sum[i][j + 2], sum[i][j + 3]);
      }
    }
  } while (step < steps);
}

}  // namespace touchstone::kernels
