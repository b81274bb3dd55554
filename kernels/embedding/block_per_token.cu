// Embedding, one block a token: its row of the table is copied by 16 bytes a thread.
// architectures: 80 90 100
#include "kernels/parts/chunk.cuh"
#include "kernels/parts/dense.h"
#include "kernels/simt/simt.cuh"
#include "reference/ops/embedding/embedding.h"

namespace touchstone::kernels::embedding {
namespace {

constexpr int kThreads = 128;

template <typename Storage>
__global__ void __launch_bounds__(kThreads)
    BlockPerToken(const int64_t* ids, const Storage* table, int64_t V, int64_t C, bool wide,
                  Storage* h) {
  const int64_t id = ids[blockIdx.x];
  simt::Require(0 <= id && id < V);
  const Storage* row = table + id * C;
  Storage* out = h + blockIdx.x * C;
  for (int64_t c = threadIdx.x * kChunk<Storage>; c < C; c += kThreads * kChunk<Storage>) {
    StoreChunk(LoadChunk(row + c, C - c, wide), C - c, wide, out + c);
  }
}

template <typename Storage>
void Run(View<const int64_t, 'T'> ids, View<const Storage, 'V', 'C'> table,
         View<Storage, 'T', 'C'> h) {
  const int64_t T = Extent<'T'>(ids, h), V = Extent<'V'>(table), C = Extent<'C'>(table, h);
  if (T == 0) return;
  const bool wide = IsWide(table.data, h.data) && C % kChunk<Storage> == 0;
  simt::Launch({.grid = dim3(simt::BlocksFor(T, 1)), .block = dim3(kThreads)},
               BlockPerToken<Storage>, Dense(ids), Dense(table), V, C, wide, Dense(h));
}

}  // namespace

void block_per_token(View<const int64_t, 'T'> ids, View<const float, 'V', 'C'> table,
                     View<float, 'T', 'C'> h) {
  Run(ids, table, h);
}
void block_per_token(View<const int64_t, 'T'> ids, View<const Bf16, 'V', 'C'> table,
                     View<Bf16, 'T', 'C'> h) {
  Run(ids, table, h);
}

}  // namespace touchstone::kernels::embedding
