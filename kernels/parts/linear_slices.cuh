// y = RN(x weight^T) for few tokens and dense matrices, where the weights' way from memory is all
// that counts: what op linear and op logits share. Rule N3 gives its slices to different lanes.
//
//   block    kWarpRows rows of weight x kTokens tokens; its warps share the slices of C
//   warp     kWarpSlices slices at a time, each with the block's rows: lane = (slice, row), and
//            kRows rows a lane, kLaneRows apart; a lane's chains are the slices' own, unbroken
//   stage    kStageBytes of each row and slice of the warp, and of x. Rows are copied as they lie,
//            by 16 bytes (cp.async), kStages - 1 stages ahead; a lane reads along its own row
//   x        is widened once a stage for all rows. A warp waits for itself alone
//   sums     of the slices meet in shared memory and are added in ascending order; more slices than
//            the block takes at once follow in groups, whose copies run on meanwhile
//   tails    beyond C, x is +0 and weight is -0: fma(+0, -0, acc) leaves every acc as it is. Rows
//            and tokens that do not exist are replaced by the last ones and dropped
#pragma once

#include <algorithm>
#include <type_traits>

#include "kernels/parts/chain_tiles.cuh"
#include "kernels/simt/simt.cuh"

namespace touchstone::kernels {

template <typename Storage, int kTokensOf, int kRowsOf, int kStageBytesOf, int kStagesOf,
          int kLaneRowsOf = 8>
struct Slices {
  static constexpr int kTokens = kTokensOf;
  static constexpr int kRows = kRowsOf;
  static constexpr int kStages = kStagesOf;
  static constexpr int kLaneRows = kLaneRowsOf;
  static constexpr int kWarpRows = kLaneRows * kRows;
  static constexpr int kWarpSlices = 32 / kLaneRows;
  static constexpr int kChunk = 16 / sizeof(Storage);  // values
  static constexpr int kChunks = kStageBytesOf / 16;   // of a row in a stage
  static constexpr int kStageLength = kChunks * kChunk;
  static constexpr int kSliceStages = kSliceLength / kStageLength;
  static constexpr int kMaxWarps = 4;
  static constexpr int kUnroll = kTokens * kRows >= 8 ? 1 : kChunks;

  struct Stage {
    uint4 weight[kWarpSlices][kWarpRows][kChunks];
    uint4 x[kWarpSlices][kTokens][kChunks];
  };
  struct Warp {
    Stage stage[kStages];
    float4 x[kWarpSlices][kTokens][kStageLength / 4];
    float sum[kWarpSlices][kTokens][kWarpRows];
  };
  using Total = float[kTokens][kWarpRows];

  // Chunk c of a row lies at c ^ Swizzle(row): eight rows side by side meet all banks.
  static __device__ __forceinline__ int Swizzle(int row) { return row * kChunks / 8 % kChunks; }
};

__device__ __forceinline__ void WidenChunk(const uint4& chunk, float (&value)[4]) {
  const unsigned word[4] = {chunk.x, chunk.y, chunk.z, chunk.w};
#pragma unroll
  for (int i = 0; i < 4; ++i) value[i] = __uint_as_float(word[i]);
}
__device__ __forceinline__ void WidenChunk(const uint4& chunk, float (&value)[8]) {
  const unsigned word[4] = {chunk.x, chunk.y, chunk.z, chunk.w};
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    value[2 * i] = __uint_as_float(word[i] << 16);
    value[2 * i + 1] = __uint_as_float(word[i] & 0xffff0000);
  }
}

// The copying of a warp's stages. A lane asks for chunk lane % kChunks of every kAtOnce-th row of
// weight, and of one token's x.
template <typename S, typename Storage>
struct SliceCopies {
  static constexpr int kAtOnce = 32 / S::kChunks;  // rows
  static constexpr int kWeights = S::kWarpRows / kAtOnce;
  static constexpr int kXSlices = kAtOnce / S::kTokens;  // slices of x at once
  static constexpr int kXCopies = (S::kWarpSlices + kXSlices - 1) / kXSlices;
  static_assert(S::kWarpRows % kAtOnce == 0 && kXSlices > 0);

  const Storage* weight[kWeights];  // the lane's chunks at k = 0
  const Storage* x;
  int64_t C;
  bool wide;
  int chunk, row, token, x_slice;

  template <typename RowOfWeight>
  __device__ __forceinline__ SliceCopies(const Storage* first_x, int tokens, int rows,
                                         int64_t width, bool by_chunks,
                                         const RowOfWeight& row_of_weight)
      : C(width), wide(by_chunks) {
    const int lane = threadIdx.x % 32;
    chunk = lane % S::kChunks;
    row = lane / S::kChunks;
    token = row % S::kTokens;
    x_slice = row / S::kTokens;
    x = first_x + std::min(token, tokens - 1) * C + chunk * S::kChunk;
#pragma unroll
    for (int i = 0; i < kWeights; ++i) {
      weight[i] = row_of_weight(std::min(row + i * kAtOnce, rows - 1)) + chunk * S::kChunk;
    }
  }

  // The stage at k of the warp's first slice. Of slices that end before, nothing is copied.
  __device__ __forceinline__ void Issue(typename S::Stage& stage, int64_t k) const {
    // Only the stage at this place of a slice can end beyond C.
    const bool tail = C % S::kStageLength != 0 &&
                      k % kSliceLength / S::kStageLength == C % kSliceLength / S::kStageLength;
    if (!wide || tail) {
      Load(stage, k);
      return;
    }
#pragma unroll
    for (int slice = 0; slice < S::kWarpSlices; ++slice) {
      const int64_t at = k + slice * kSliceLength;
      if (at >= C) continue;
#pragma unroll
      for (int i = 0; i < kWeights; ++i) {
        const int r = row + i * kAtOnce;
        ptx::CpAsync16(&stage.weight[slice][r][chunk ^ S::Swizzle(r)], weight[i] + at);
      }
    }
#pragma unroll
    for (int i = 0; i < kXCopies; ++i) {
      const int slice = i * kXSlices + x_slice;
      const int64_t at = k + slice * kSliceLength;
      if (slice < S::kWarpSlices && at < C) ptx::CpAsync16(&stage.x[slice][token][chunk], x + at);
    }
  }

  // The same, value by value, which knows tails.
  __device__ __forceinline__ void Load(typename S::Stage& stage, int64_t k) const {
#pragma unroll 1
    for (int slice = 0; slice < S::kWarpSlices; ++slice) {
      const int64_t at = k + slice * kSliceLength, left = C - at - chunk * S::kChunk;
      if (at >= C) continue;
#pragma unroll
      for (int i = 0; i < kWeights; ++i) {
        const int r = row + i * kAtOnce;
        auto* to = reinterpret_cast<Storage*>(&stage.weight[slice][r][chunk ^ S::Swizzle(r)]);
#pragma unroll 1
        for (int v = 0; v < S::kChunk; ++v) {
          to[v] = v < left ? weight[i][at + v] : Narrow<Storage>(-0.0f);
        }
      }
      if (slice % kXSlices != x_slice) continue;
      auto* to = reinterpret_cast<Storage*>(&stage.x[slice][token][chunk]);
#pragma unroll 1
      for (int v = 0; v < S::kChunk; ++v) to[v] = v < left ? x[at + v] : Narrow<Storage>(0.0f);
    }
  }

  // The lane's own chunks of x, once they have arrived, in binary32 for the whole warp.
  __device__ __forceinline__ void WidenX(typename S::Warp& warp, const typename S::Stage& stage,
                                         int64_t k) const {
#pragma unroll
    for (int i = 0; i < kXCopies; ++i) {
      const int slice = i * kXSlices + x_slice;
      if (slice >= S::kWarpSlices || k + slice * kSliceLength >= C) continue;
      float value[S::kChunk];
      WidenChunk(stage.x[slice][token][chunk], value);
#pragma unroll
      for (int v = 0; v < S::kChunk; v += 4) {
        warp.x[slice][token][(chunk * S::kChunk + v) / 4] =
            make_float4(value[v], value[v + 1], value[v + 2], value[v + 3]);
      }
    }
  }
};

// A stage's part of the lane's chains, by fma in ascending k.
template <typename S>
__device__ __forceinline__ void ChainStage(const typename S::Warp& warp,
                                           const typename S::Stage& stage,
                                           float (&sum)[S::kTokens][S::kRows]) {
  const int lane = threadIdx.x % 32, slice = lane / S::kLaneRows, row = lane % S::kLaneRows;
#pragma unroll S::kUnroll
  for (int c = 0; c < S::kChunks; ++c) {
    float w[S::kRows][S::kChunk];
#pragma unroll
    for (int r = 0; r < S::kRows; ++r) {
      WidenChunk(stage.weight[slice][row + r * S::kLaneRows][c ^ S::Swizzle(row)], w[r]);
    }
#pragma unroll
    for (int t = 0; t < S::kTokens; ++t) {
#pragma unroll
      for (int v = 0; v < S::kChunk; v += 4) {
        const float4 a = warp.x[slice][t][(c * S::kChunk + v) / 4];
#pragma unroll
        for (int r = 0; r < S::kRows; ++r) {
          sum[t][r] = fmaf(a.x, w[r][v], sum[t][r]);
          sum[t][r] = fmaf(a.y, w[r][v + 1], sum[t][r]);
          sum[t][r] = fmaf(a.z, w[r][v + 2], sum[t][r]);
          sum[t][r] = fmaf(a.w, w[r][v + 3], sum[t][r]);
        }
      }
    }
  }
}

// The chains of `tokens` rows of x, side by side, with `rows` rows of weight, both at least 1:
// total[t][r], for the whole block. row_of_weight(r) points to C values and is asked for r < rows
// only. For a kernel that SliceLaunch launches, once. wide: all rows are multiples of 16.
template <typename S, typename Storage, typename RowOfWeight>
__device__ __forceinline__ const typename S::Total& SliceTile(const Storage* x, int tokens,
                                                              int rows, int64_t C, bool wide,
                                                              const RowOfWeight& row_of_weight) {
  const int lane = threadIdx.x % 32, w = threadIdx.x / 32;
  const int warps = static_cast<int>(blockDim.x / 32), slots = warps * S::kWarpSlices;
  auto* const shared = simt::DynamicShared<typename S::Warp>();
  auto& total = *reinterpret_cast<typename S::Total*>(shared + warps);
  auto& mine = shared[w];

  // Stage n of a warp is stage n % kSliceStages of its slices in group n / kSliceStages.
  const int slices = static_cast<int>((C + kSliceLength - 1) / kSliceLength);
  const int groups = std::max(1, (slices + slots - 1) / slots);
  const auto begin = [&](int n) {
    const int64_t slice = int64_t{n / S::kSliceStages} * slots + w * S::kWarpSlices;
    return slice * kSliceLength + n % S::kSliceStages * S::kStageLength;
  };
  const int64_t left = C - begin((groups - 1) * S::kSliceStages);
  const int last_stages = static_cast<int>(
      std::clamp<int64_t>((left + S::kStageLength - 1) / S::kStageLength, 0, S::kSliceStages));
  const int stages = (groups - 1) * S::kSliceStages + last_stages;
  const SliceCopies<S, Storage> copies(x, tokens, rows, C, wide, row_of_weight);
  const auto issue = [&](int n) {
    if (n < stages) copies.Issue(mine.stage[n % S::kStages], begin(n));
    ptx::CpAsyncCommit();  // one group a stage, be it empty
  };
#pragma unroll 1
  for (int n = 0; n < S::kStages - 1; ++n) issue(n);

  for (int group = 0, n = 0; group < groups; ++group) {
    float sum[S::kTokens][S::kRows] = {};
    const int end = std::min((group + 1) * S::kSliceStages, stages);
#pragma unroll 1
    for (; n < end; ++n) {
      const auto& stage = mine.stage[n % S::kStages];
      ptx::CpAsyncWait<S::kStages - 2>();
      copies.WidenX(mine, stage, begin(n));
      __syncwarp();  // the stage is complete, and the stage before it is read
      issue(n + S::kStages - 1);
      if (begin(n) + lane / S::kLaneRows * kSliceLength < C) ChainStage<S>(mine, stage, sum);
      __syncwarp();  // x is read
    }

#pragma unroll
    for (int t = 0; t < S::kTokens; ++t) {
#pragma unroll
      for (int r = 0; r < S::kRows; ++r) {
        mine.sum[lane / S::kLaneRows][t][lane % S::kLaneRows + r * S::kLaneRows] = sum[t][r];
      }
    }
    __syncthreads();
    const int used = std::min(slots, slices - group * slots);
    for (int i = threadIdx.x; i < S::kTokens * S::kWarpRows; i += blockDim.x) {
      const int t = i / S::kWarpRows, row = i % S::kWarpRows;
      float all = group == 0 ? 0.0f : total[t][row];
      for (int slot = 0; slot < used; ++slot) {
        const float one = shared[slot / S::kWarpSlices].sum[slot % S::kWarpSlices][t][row];
        all = group == 0 && slot == 0 ? one : all + one;
      }
      total[t][row] = all;
    }
    __syncthreads();
  }
  return total;
}

// Of blocks whose tiles are SliceTile<S>: as few groups as the largest block allows, and then as
// few warps. Host side.
template <typename S>
simt::LaunchConfig SliceLaunch(unsigned blocks, int64_t C) {
  const int64_t slices = std::max<int64_t>(1, (C + kSliceLength - 1) / kSliceLength);
  const int64_t full = (slices + S::kWarpSlices - 1) / S::kWarpSlices;
  const int64_t groups = (full + S::kMaxWarps - 1) / S::kMaxWarps;
  const unsigned warps = simt::BlocksFor(full, groups);
  return {.grid = dim3(blocks),
          .block = dim3(32 * warps),
          .dynamic_shared = warps * sizeof(typename S::Warp) + sizeof(typename S::Total)};
}

template <typename S, typename Storage, typename Out>
__global__ void __launch_bounds__(32 * S::kMaxWarps, 4)
    LinearSlice(const Storage* x, const Storage* weight, int64_t T, int64_t F, int64_t C, bool wide,
                Out* y) {
  // Blocks that run side by side share rows of weight.
  const int64_t token_tiles = (T + S::kTokens - 1) / S::kTokens;
  const int64_t t0 = blockIdx.x % token_tiles * S::kTokens;
  const int64_t f0 = blockIdx.x / token_tiles * S::kWarpRows;
  const int tokens = static_cast<int>(std::min<int64_t>(T - t0, S::kTokens));
  const int rows = static_cast<int>(std::min<int64_t>(F - f0, S::kWarpRows));
  const auto& total = SliceTile<S>(x + t0 * C, tokens, rows, C, wide,
                                   [&](int row) { return weight + (f0 + row) * C; });
  for (int i = threadIdx.x; i < S::kTokens * S::kWarpRows; i += blockDim.x) {
    const int t = i / S::kWarpRows, row = i % S::kWarpRows;
    if (t < tokens && row < rows) {
      y[(t0 + t) * F + f0 + row] = Narrow<Out>(RoundTo<Storage>(total[t][row]));
    }
  }
}

template <typename S, typename Storage, typename Out>
void LaunchLinearSlices(const Storage* x, const Storage* weight, int64_t T, int64_t F, int64_t C,
                        Out* y) {
  if (T == 0 || F == 0) return;
  const unsigned blocks = simt::BlocksFor(T, S::kTokens) * simt::BlocksFor(F, S::kWarpRows);
  simt::Launch(SliceLaunch<S>(blocks, C), LinearSlice<S, Storage, Out>, x, weight, T, F, C,
               ChainIsWide(x, weight, C), y);
}

// x (T, C), weight (F, C) and y (T, F), each dense.
template <typename Storage, typename Out>
void LinearSlices(const Storage* x, const Storage* weight, int64_t T, int64_t F, int64_t C,
                  Out* y) {
  // With one slice the lanes have rows of their own instead.
  const auto launch = C <= kSliceLength
                          ? LaunchLinearSlices<Slices<Storage, 4, 1, 64, 3, 32>, Storage, Out>
                      : T == 1 ? LaunchLinearSlices<Slices<Storage, 1, 1, 128, 3>, Storage, Out>
                      : T == 2 ? LaunchLinearSlices<Slices<Storage, 2, 1, 128, 3>, Storage, Out>
                      : T <= 4 ? LaunchLinearSlices<Slices<Storage, 4, 2, 64, 3>, Storage, Out>
                               : LaunchLinearSlices<Slices<Storage, 8, 4, 64, 2>, Storage, Out>;
  launch(x, weight, T, F, C, y);
}

}  // namespace touchstone::kernels
