// Combine in three launches: the rows of every token become a linked list, then a block adds up a
// stretch of a token's columns.
// architectures: 80 90 100
//
//   NoRows    heads are emptied
//   LinkRows  a thread a row puts its row at the head of its token's list. The order in a list is
//             that of the schedule, and does not matter:
//   SumRows   takes the rows of the list in ascending order, each the lowest above the one before.
//             A token has as many rows as it chose experts, so lists are short. A thread adds up
//             kChunks chunks of columns; 5120 of bf16 are one block's
#include "kernels/combine/list_per_token.h"

#include "kernels/parts/chunk.cuh"
#include "kernels/parts/dense.h"
#include "kernels/simt/simt.cuh"

namespace touchstone::kernels::combine {
namespace {

constexpr int kThreads = 128;
constexpr int kChunks = 5;
constexpr unsigned kNone = 0xffffffff;  // no row; rows are below

__global__ void __launch_bounds__(kThreads) NoRows(int64_t T, unsigned* head) {
  const int64_t t = int64_t{blockIdx.x} * kThreads + threadIdx.x;
  if (t < T) head[t] = kNone;
}

__global__ void __launch_bounds__(kThreads)
    LinkRows(const int64_t* row_token, int64_t R, int64_t T, unsigned* head, unsigned* next) {
  const int64_t r = int64_t{blockIdx.x} * kThreads + threadIdx.x;
  if (r >= R) return;
  const int64_t t = row_token[r];
  simt::Require(0 <= t && t < T);
  unsigned seen = kNone, found = kNone;
  do {
    seen = found;
    found = atomicCAS(&head[t], seen, static_cast<unsigned>(r));
  } while (found != seen);
  next[r] = seen;
}

// Wide rows are a kernel of their own and are indexed by chunks: nvcc 13.0 splits the stores of one
// that has both paths, or that counts values.
template <typename Storage, bool kWide>
__global__ void __launch_bounds__(kThreads) SumRows(const Storage* rows, const unsigned* head,
                                                    const unsigned* next, int64_t C, Storage* y) {
  constexpr int kValues = kChunk<Storage>;
  const int64_t t = blockIdx.x;
  const int64_t chunks = (C + kValues - 1) / kValues;
  const int64_t chunk0 = int64_t{blockIdx.y} * kChunks * kThreads + threadIdx.x;
  float sum[kChunks][kValues] = {};

  const unsigned first = head[t];
  int64_t last = -1;
  while (true) {
    unsigned row = kNone;
    for (unsigned r = first; r != kNone; r = next[r]) {
      if (r > last && r < row) row = r;
    }
    if (row == kNone) break;
    last = row;
#pragma unroll
    for (int k = 0; k < kChunks; ++k) {
      const int64_t chunk = chunk0 + k * kThreads;
      if (chunk >= chunks) continue;
      const int64_t c = chunk * kValues;
      const Chunk<Storage> in = LoadChunk(rows + row * C + c, kWide ? kValues : C - c, kWide);
#pragma unroll
      for (int i = 0; i < kValues; ++i) sum[k][i] = sum[k][i] + Widen(in.value[i]);
    }
  }

#pragma unroll
  for (int k = 0; k < kChunks; ++k) {
    const int64_t chunk = chunk0 + k * kThreads;
    if (chunk >= chunks) continue;
    Chunk<Storage> out;
#pragma unroll
    for (int i = 0; i < kValues; ++i) out.value[i] = Narrow<Storage>(sum[k][i]);
    if constexpr (kWide) {
      reinterpret_cast<Chunk<Storage>*>(y)[t * chunks + chunk] = out;
    } else {
      StoreChunk(out, C - chunk * kValues, false, y + t * C + chunk * kValues);
    }
  }
}

template <typename Storage>
void Run(View<const Storage, 'R', 'C'> rows, View<const int64_t, 'R'> row_token,
         View<Storage, 'T', 'C'> y) {
  const int64_t R = Extent<'R'>(rows, row_token), T = Extent<'T'>(y), C = Extent<'C'>(rows, y);
  TOUCHSTONE_REQUIRE((T > 0 || R == 0) && R < int64_t{kNone});
  if (T == 0) return;

  const simt::DeviceBuffer<unsigned> head(T), next(R);
  simt::Launch({.grid = dim3(simt::BlocksFor(T, kThreads)), .block = dim3(kThreads)}, NoRows, T,
               head.data());
  if (R > 0) {
    simt::Launch({.grid = dim3(simt::BlocksFor(R, kThreads)), .block = dim3(kThreads)}, LinkRows,
                 Dense(row_token), R, T, head.data(), next.data());
  }
  if (C == 0) return;
  const bool wide = C % kChunk<Storage> == 0 && IsWide(Dense(rows), Dense(y));
  const unsigned stretches = simt::BlocksFor(C, kChunks * kThreads * kChunk<Storage>);
  simt::Launch({.grid = dim3(simt::BlocksFor(T, 1), stretches), .block = dim3(kThreads)},
               wide ? SumRows<Storage, true> : SumRows<Storage, false>, Dense(rows), head.data(),
               next.data(), C, Dense(y));
}

}  // namespace

void list_per_token(View<const float, 'R', 'C'> rows, View<const int64_t, 'R'> row_token,
                    View<float, 'T', 'C'> y) {
  Run(rows, row_token, y);
}
void list_per_token(View<const Bf16, 'R', 'C'> rows, View<const int64_t, 'R'> row_token,
                    View<Bf16, 'T', 'C'> y) {
  Run(rows, row_token, y);
}

}  // namespace touchstone::kernels::combine
