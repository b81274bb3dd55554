// Dispatch in two launches, without a word between blocks: an expert's block finds by itself where
// the expert's rows begin and which they are; then a token's blocks write the token's rows.
// architectures: 80 90 100
//
//   pair        p = t A + a, a choice of a token; the rows of an expert are its pairs, p ascending
//   ExpertRows  a block of 16 warps an expert, and one block more for the end of the offsets. A
//               warp owns one stretch of the pairs and counts those of lower experts, whose sum
//               over the block is the expert's offset, and those of the expert. In a second pass
//               its pairs are numbered in order by ballots, after the pairs of earlier warps
//   TokenRows   a thread has a chunk of a token's x, which is read once and stored, scaled, in all
//               rows of the token
#include "kernels/dispatch/block_per_expert.h"

#include <algorithm>

#include "kernels/parts/chunk.cuh"
#include "kernels/parts/dense.h"
#include "kernels/simt/simt.cuh"

namespace touchstone::kernels::dispatch {
namespace {

constexpr int kWarps = 16;
constexpr int kExpertThreads = kWarps * simt::kWarpSize;
constexpr int kRowThreads = 128;

struct WarpCounts {
  unsigned lower[kWarps];  // pairs of lower experts in the warp's stretch
  unsigned equal[kWarps];  // pairs of the expert
};

__global__ void __launch_bounds__(kExpertThreads)
    ExpertRows(const int64_t* chosen, int64_t pairs, int64_t A, int64_t E, int64_t* row_of_pair,
               int64_t* row_token, int64_t* offsets) {
  auto& counts = simt::Shared<WarpCounts>();
  const unsigned lane = threadIdx.x % simt::kWarpSize, warp = threadIdx.x / simt::kWarpSize;
  const int64_t expert = blockIdx.x;
  const int64_t stretch = (pairs + kExpertThreads - 1) / kExpertThreads * simt::kWarpSize;
  const int64_t begin = std::min(pairs, warp * stretch), end = std::min(pairs, begin + stretch);

  unsigned lower = 0, equal = 0;
  for (int64_t p = begin + lane; p < end; p += simt::kWarpSize) {
    const int64_t choice = chosen[p];
    simt::Require(0 <= choice && choice < E);
    lower += choice < expert;
    equal += choice == expert;
  }
  lower = __reduce_add_sync(simt::kWholeWarp, lower);
  equal = __reduce_add_sync(simt::kWholeWarp, equal);
  if (lane == 0) {
    counts.lower[warp] = lower;
    counts.equal[warp] = equal;
  }
  __syncthreads();

  const int64_t offset =
      __reduce_add_sync(simt::kWholeWarp, lane < kWarps ? counts.lower[lane] : 0u);
  if (threadIdx.x == 0) offsets[expert] = offset;
  int64_t row = offset + __reduce_add_sync(simt::kWholeWarp, lane < warp ? counts.equal[lane] : 0u);
  if (equal == 0) return;  // the whole warp

  for (int64_t first = begin; first < end; first += simt::kWarpSize) {
    const int64_t p = first + lane;
    const bool own = p < end && chosen[p] == expert;
    const unsigned owners = __ballot_sync(simt::kWholeWarp, own);
    if (own) {
      // A token chooses an expert once.
      for (int64_t other = p / A * A; other < p; ++other) simt::Require(chosen[other] != expert);
      const int64_t mine = row + __popc(owners & ((1u << lane) - 1));
      row_of_pair[p] = mine;
      row_token[mine] = p / A;
    }
    row += __popc(owners);
  }
}

// Wide rows are a kernel of their own and are indexed by chunks: nvcc 13.0 splits the stores of one
// that has both paths, or that counts values.
template <typename Storage, bool kWide>
__global__ void __launch_bounds__(kRowThreads)
    TokenRows(const Storage* x, const Storage* scores, const int64_t* row_of_pair, int64_t A,
              int64_t C, Storage* rows) {
  constexpr int kValues = kChunk<Storage>;
  const int64_t t = blockIdx.x, chunks = (C + kValues - 1) / kValues;
  const int64_t chunk = int64_t{blockIdx.y} * kRowThreads + threadIdx.x;
  if (chunk >= chunks) return;
  const int64_t count = kWide ? kValues : C - chunk * kValues;
  const Chunk<Storage> in = LoadChunk(x + t * C + chunk * kValues, count, kWide);
  for (int64_t p = t * A; p < (t + 1) * A; ++p) {
    const float score = Widen(scores[p]);
    Chunk<Storage> out;
#pragma unroll
    for (int i = 0; i < kValues; ++i) out.value[i] = Narrow<Storage>(Widen(in.value[i]) * score);
    if constexpr (kWide) {
      reinterpret_cast<Chunk<Storage>*>(rows)[row_of_pair[p] * chunks + chunk] = out;
    } else {
      StoreChunk(out, count, false, rows + row_of_pair[p] * C + chunk * kValues);
    }
  }
}

template <typename Storage>
void Run(View<const Storage, 'T', 'C'> x, View<const int64_t, 'T', 'A'> chosen,
         View<const Storage, 'T', 'A'> scores, View<Storage, 'R', 'C'> rows,
         View<int64_t, 'R'> row_token, View<int64_t, 'O'> offsets) {
  const int64_t T = Extent<'T'>(x, chosen, scores), C = Extent<'C'>(x, rows);
  const int64_t A = Extent<'A'>(chosen, scores), E = Extent<'O'>(offsets) - 1;
  TOUCHSTONE_REQUIRE(Extent<'R'>(rows, row_token) == T * A);
  TOUCHSTONE_REQUIRE(E >= 0 && T * A <= int64_t{0xffffffff});

  const simt::DeviceBuffer<int64_t> row_of_pair(T * A);
  simt::Launch({.grid = dim3(simt::BlocksFor(E + 1, 1)), .block = dim3(kExpertThreads)}, ExpertRows,
               Dense(chosen), T * A, A, E, row_of_pair.data(), Dense(row_token), Dense(offsets));
  if (T * A == 0 || C == 0) return;
  const bool wide = C % kChunk<Storage> == 0 && IsWide(Dense(x), Dense(rows));
  const unsigned stretches = simt::BlocksFor(C, kRowThreads * kChunk<Storage>);
  simt::Launch({.grid = dim3(simt::BlocksFor(T, 1), stretches), .block = dim3(kRowThreads)},
               wide ? TokenRows<Storage, true> : TokenRows<Storage, false>, Dense(x), Dense(scores),
               row_of_pair.data(), A, C, Dense(rows));
}

}  // namespace

void block_per_expert(View<const float, 'T', 'C'> x, View<const int64_t, 'T', 'A'> chosen,
                      View<const float, 'T', 'A'> scores, View<float, 'R', 'C'> rows,
                      View<int64_t, 'R'> row_token, View<int64_t, 'O'> offsets) {
  Run(x, chosen, scores, rows, row_token, offsets);
}
void block_per_expert(View<const Bf16, 'T', 'C'> x, View<const int64_t, 'T', 'A'> chosen,
                      View<const Bf16, 'T', 'A'> scores, View<Bf16, 'R', 'C'> rows,
                      View<int64_t, 'R'> row_token, View<int64_t, 'O'> offsets) {
  Run(x, chosen, scores, rows, row_token, offsets);
}

}  // namespace touchstone::kernels::dispatch
