// Attention split at the blocks of 512 keys, for few queries over many keys: one thread block a
// query, key head and block of keys makes the block's softmax (m, l, o); a second launch merges
// them in ascending order (merge_blocks.cuh). The query heads of a key head, kHeads at a time,
// share all that is read.
//
//   step     a tile of keys (128 keys x 128 bytes) or, after them, of values (16 KiB). Step s + 2
//            is being copied while s is computed: three tiles of shared memory, one barrier a step
//   scores   a thread a key: kHeads chains along d. Past D a query is -0 and a key +0, whose
//            product leaves every sum as it is
//   weights  a warp a head: the largest score, whose order is free, then exp in place
//   sums     a thread a d: kHeads chains along the keys; meanwhile the fifth warp, a lane a head,
//            adds the weights to l. It stages the queries' tiles during the scores
#pragma once

#include "kernels/attention/merge_blocks.cuh"
#include "kernels/attention/split_tiles.cuh"
#include "reference/arithmetic/chain.h"

namespace touchstone::kernels::attention {

template <typename Storage, int kHeads, typename Rows>
__global__ void __launch_bounds__(kSplitThreads, 3)
    SplitBlocks(const Storage* q, Rows keys, Rows values, const int64_t* positions, Shape shape,
                bool wide, int64_t first_token, Partials out) {
  constexpr int kSliceDepths = kSliceLength / kDepth<Storage>;
  auto& shared = *simt::DynamicShared<SplitShared<Storage, kHeads>>();
  const int64_t D = shape.D, group = shape.H / shape.G;
  const int64_t token = blockIdx.x / out.blocks, b = blockIdx.x % out.blocks;
  const int64_t g = blockIdx.y, h0 = g * group + int64_t{blockIdx.z} * kHeads;
  const int heads = static_cast<int>(std::min<int64_t>(kHeads, (g + 1) * group - h0));
  const Keys visible = Visible(positions[first_token + token], shape);
  const Keys block = InBlock(visible, visible.begin / kBlock + b);
  if (block.begin >= block.end) return;  // all threads

  const int n = static_cast<int>(block.end - block.begin);
  const int depths = static_cast<int>((D + kDepth<Storage> - 1) / kDepth<Storage>);
  const int segments = static_cast<int>((D + kWorkers - 1) / kWorkers);
  const int value_tiles = (n + kValueKeys<Storage> - 1) / kValueKeys<Storage>;
  const int key_steps = (n + kWorkers - 1) / kWorkers * depths;
  const int steps = key_steps + segments * value_tiles;
  const int thread = threadIdx.x, lane = thread % simt::kWarpSize;
  const bool worker = thread < kWorkers;
  const Storage* queries = q + ((first_token + token) * shape.H + h0) * D;

  const auto issue = [&](int step) {
    auto& tile = shared.tile[step % kStages];
    if (step < key_steps) {
      const int64_t d0 = int64_t{step % depths} * kDepth<Storage>;
      const int j0 = step / depths * kWorkers;
      const int count = n - j0 < kWorkers ? n - j0 : kWorkers;
      for (int i = thread; i < count * kKeyChunks; i += kSplitThreads) {
        const int j = i / kKeyChunks, c = i % kKeyChunks;
        const Storage* row = keys.Row(block.begin + j0 + j) + g * D;
        CopyChunk(row, d0 + c * kChunk<Storage>, D, wide, tile.key[j][c].value);
      }
      for (int i = thread - kWorkers; !worker && i < kHeads * kDepth<Storage>;
           i += simt::kWarpSize) {
        const int h = i / kDepth<Storage>, k = i % kDepth<Storage>;
        const bool exists = h < heads && d0 + k < D;
        shared.q[step % kStages][h][k] = exists ? Widen(queries[h * D + d0 + k]) : -0.0f;
      }
    } else if (step < steps) {
      constexpr int kRowChunks = kWorkers / kChunk<Storage>;
      const int64_t d0 = int64_t{(step - key_steps) / value_tiles} * kWorkers;
      const int j0 = (step - key_steps) % value_tiles * kValueKeys<Storage>;
      for (int i = thread; i < kValueKeys<Storage> * kRowChunks; i += kSplitThreads) {
        const int j = i / kRowChunks, c = i % kRowChunks * kChunk<Storage>;
        if (j0 + j >= n || d0 + c >= D) continue;
        const Storage* row = values.Row(block.begin + j0 + j) + g * D;
        CopyChunk(row, d0 + c, D, wide, &tile.value[j][c]);
      }
    }
    ptx::CpAsyncCommit();  // one group a step, be it empty
  };
  issue(0);
  issue(1);

  float sum[kHeads] = {}, total[kHeads] = {};
#pragma unroll 1
  for (int step = 0; step < key_steps; ++step) {
    ptx::CpAsyncWait<1>();
    __syncthreads();  // the step is complete, and the step before it is read
    issue(step + 2);
    const int depth = step % depths, j = step / depths * kWorkers + thread;
    if (!worker || j >= n) continue;
    const auto& tile = shared.tile[step % kStages];
    const auto& query = shared.q[step % kStages];
#pragma unroll
    for (int h = 0; h < kHeads; ++h) sum[h] = depth % kSliceDepths == 0 ? 0.0f : sum[h];
    ScoreTile<Storage, kHeads>(tile.key[thread], query, sum);
    const bool last = depth == depths - 1;
    if (!last && (depth + 1) % kSliceDepths != 0) continue;
#pragma unroll
    for (int h = 0; h < kHeads; ++h) {
      total[h] = depth < kSliceDepths ? sum[h] : total[h] + sum[h];
      if (last) shared.s[h][j] = total[h] * shape.scale;
    }
  }

  __syncthreads();
  for (int h = thread / simt::kWarpSize; h < heads; h += kSplitWarps) {
    float* s = shared.s[h];
    float m = s[0];
    for (int j = lane; j < n; j += simt::kWarpSize) m = Maximum(m, s[j]);
    m = WarpMaximum(m);
    __syncwarp();  // s[0] is read
#pragma unroll 4
    for (int j = lane; j < n; j += simt::kWarpSize) s[j] = Exp(s[j] - m);
    if (lane == 0) out.m[out.Index(token, h0 + h, b)] = m;
  }

  float o[kHeads] = {}, l = 0.0f;
#pragma unroll 1
  for (int step = key_steps; step < steps; ++step) {
    ptx::CpAsyncWait<1>();
    __syncthreads();
    issue(step + 2);
    const int segment = (step - key_steps) / value_tiles, part = (step - key_steps) % value_tiles;
    const int j0 = part * kValueKeys<Storage>,
              count = n - j0 < kValueKeys<Storage> ? n - j0 : kValueKeys<Storage>;
    const bool last = part == value_tiles - 1;
    if (worker) {
      const int64_t d = int64_t{segment} * kWorkers + thread;
      if (d >= D) continue;
      const auto& value = shared.tile[step % kStages].value;
#pragma unroll
      for (int h = 0; h < kHeads; ++h) o[h] = part == 0 ? 0.0f : o[h];
      ValueTile<Storage, kHeads>(value, shared.s, j0, count, o);
#pragma unroll
      for (int h = 0; h < kHeads; ++h) {
        if (last && h < heads) out.o[out.Index(token, h0 + h, b) * D + d] = o[h];
      }
    } else if (segment == 0 && lane < heads) {
      for (int j = 0; j < count; ++j) l = l + shared.s[lane][j0 + j];
      if (last) out.l[out.Index(token, h0 + lane, b)] = l;
    }
  }
}

template <int kHeads, typename Storage, typename Rows>
void LaunchSplitBlocks(const Storage* q, Rows keys, Rows values, const int64_t* positions,
                       const Shape& shape, bool wide, int64_t first_token, int64_t tokens,
                       const Partials& out) {
  if (out.blocks == 0) return;
  simt::Launch({.grid = dim3(simt::BlocksFor(tokens * out.blocks, 1), simt::BlocksFor(shape.G, 1),
                             simt::BlocksFor(shape.H / shape.G, kHeads)),
                .block = dim3(kSplitThreads),
                .dynamic_shared = sizeof(SplitShared<Storage, kHeads>)},
               SplitBlocks<Storage, kHeads, Rows>, q, keys, values, positions, shape, wide,
               first_token, out);
}

// All queries, both launches. wide: the rows of keys and values are multiples of 16 bytes.
template <typename Storage, typename Rows>
void RunSplitBlocks(const Storage* q, Rows keys, Rows values, const int64_t* positions,
                    const Shape& shape, bool wide, Storage* y) {
  if (shape.T * shape.H == 0) return;
  const int64_t group = shape.H / shape.G, blocks = BlockBound(shape);
  const auto launch = group % 5 == 0 ? LaunchSplitBlocks<5, Storage, Rows>
                      : group > 1    ? LaunchSplitBlocks<4, Storage, Rows>
                                     : LaunchSplitBlocks<1, Storage, Rows>;
  // As many queries at a time as half a GiB of partial results holds.
  const int64_t query = std::max<int64_t>(1, shape.H * blocks * (shape.D + 2));
  const int64_t most = std::clamp<int64_t>((int64_t{1} << 27) / query, 1, shape.T);
  const PartialBuffers buffers(most, shape.H, blocks, shape.D);
  for (int64_t first = 0; first < shape.T; first += most) {
    const int64_t tokens = std::min(most, shape.T - first);
    launch(q, keys, values, positions, shape, wide, first, tokens, buffers.partials());
    LaunchMergeBlocks(buffers.partials(), positions, shape, first, tokens, y);
  }
}

}  // namespace touchstone::kernels::attention
