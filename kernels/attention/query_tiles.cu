// Attention in tiles of queries, for many queries: a thread block holds 32 rows, a row being a
// query and one of the query heads of a key head, and goes through the blocks of 512 keys in order.
// No memory grows with T or S.
// architectures: 80 90 100
//
//   scores   all of a block, 32 x 512, into shared memory (score_tile.cuh)
//   weights  a warp takes 8 rows: the largest visible score, whose order is free, then exp in place
//   sums     chains along the keys in registers (value_tile.cuh), and l beside them: lane k of a
//            warp adds that of its row k % 8. Tiles of keys that all rows see need no mask; others
//            go row by row, from its first visible key to its last. A masked key touches no sum
//   merge    o * a + o_b * c in registers, in order
//
// Long tiles start first. More than 128 d: one thread block each 128, which all compute the scores.
#include "kernels/attention/score_tile.cuh"
#include "kernels/attention/value_tile.cuh"
#include "kernels/parts/dense.h"
#include "reference/ops/attention/attention.h"

namespace touchstone::kernels::attention {
namespace {

// Row r of the tile, in lane r of every warp.
struct Rows {
  int64_t group, first, last;  // rows a query; of the tile; of all

  __device__ __forceinline__ int64_t Row(int r) const { return std::min(first + r, last); }
  __device__ __forceinline__ int64_t Token(int r) const { return Row(r) / group; }
  __device__ __forceinline__ int64_t Head(int r) const {
    return blockIdx.y * group + Row(r) % group;
  }
};

// exp(s - m) in place over the visible keys of the warp's 8 rows. Returns m of row lane % 8.
__device__ __forceinline__ float Weights(TileShared& shared, int low, int high) {
  const int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
  float m = 0.0f;
#pragma unroll 1
  for (int i = 0; i < 8; ++i) {
    float* s = shared.Scores(warp * 8 + i);
    const int begin = __shfl_sync(simt::kWholeWarp, low, warp * 8 + i);
    const int end = __shfl_sync(simt::kWholeWarp, high, warp * 8 + i);
    if (begin >= end) continue;  // the whole warp
    float most = s[begin];
    for (int j = begin + lane; j < end; j += 32) most = Maximum(most, s[j]);
    most = WarpMaximum(most);
    __syncwarp();  // s[begin] is read
#pragma unroll 4
    for (int j = begin + lane; j < end; j += 32) s[j] = Exp(s[j] - most);
    if (lane % 8 == i) m = most;
  }
  return m;
}

// kWide: rows are multiples of 16 bytes.
template <typename Storage, bool kWide>
__global__ void __launch_bounds__(kTileThreads, 2)
    QueryTiles(const Storage* q, const Storage* keys, const Storage* values,
               const int64_t* positions, Shape shape, Storage* y) {
  auto& shared = *simt::DynamicShared<TileShared>();
  const int64_t D = shape.D, group = shape.H / shape.G, step = shape.G * D;
  const int warp = threadIdx.x / 32, lane = threadIdx.x % 32, own = warp * 8 + lane % 8;
  const Rows rows{group, int64_t{gridDim.x - 1 - blockIdx.x} * kTileRows, shape.T * group - 1};
  const int64_t d0 = int64_t{blockIdx.z} * kColumns;
  const int copied = std::min<int>(threadIdx.x / (kSlab / kChunk<Storage>), kTileRows - 1);
  const Storage* query = q + (rows.Token(copied) * shape.H + rows.Head(copied)) * D;
  keys += blockIdx.y * D;
  values += blockIdx.y * D;

  const Keys visible = Visible(positions[rows.Token(lane)], shape);
  const bool any = visible.begin < visible.end;
  const unsigned first_block = any ? static_cast<unsigned>(visible.begin / kBlock) : 0xffffffff;
  const unsigned end_block = any ? static_cast<unsigned>((visible.end - 1) / kBlock) + 1 : 0;
  const unsigned end = __reduce_max_sync(simt::kWholeWarp, end_block);

  float all[8][4] = {}, m = 0.0f, l = 1.0f;  // no key: +0
  bool seen = false;
  for (unsigned b = __reduce_min_sync(simt::kWholeWarp, first_block); b < end; ++b) {
    const int64_t base = int64_t{b} * kBlock;
    const Keys mine = InBlock(visible, b);
    const bool sees = mine.begin < mine.end;
    const unsigned low = sees ? static_cast<unsigned>(mine.begin - base) : 0;
    const unsigned high = sees ? static_cast<unsigned>(mine.end - base) : 0;
    // Some row sees a key of [some_low, some_high); all rows see all of [all_low, all_high).
    const int some_low = __reduce_min_sync(simt::kWholeWarp, sees ? low : kBlock);
    const int some_high = __reduce_max_sync(simt::kWholeWarp, high);
    const int all_low = __reduce_max_sync(simt::kWholeWarp, low);
    const int all_high = __reduce_min_sync(simt::kWholeWarp, high);
    if (some_low >= some_high) continue;  // the whole block

    const int count = static_cast<int>(std::min<int64_t>(kBlock, shape.S - base));
    for (int j0 = 0; j0 < some_high; j0 += kScoreKeys) {
      if (j0 + kScoreKeys <= some_low) continue;
      ScoreTile<Storage>(query, {keys + base * step, step, count}, j0, D, shape.scale, kWide,
                         shared);
    }
    __syncthreads();

    const float m_b = Weights(shared, low, high);
    const bool own_sees = __shfl_sync(simt::kWholeWarp, high, own) > 0;
    if (lane < 8) {
      shared.visible[own] = own_sees;
      shared.first[own] = !seen;
    }
    const float n = seen ? Maximum(m, m_b) : m_b;
    const float a = Exp(m - n), c = Exp(m_b - n);
    if (lane < 8) {
      shared.a[own] = a;
      shared.c[own] = c;
    }

    float o[8][4] = {}, l_b = 0.0f;
    ValueTiles<Storage>({values + base * step, step, count}, some_low, some_high, d0, D, kWide,
                        shared, [&](int j0) {
                          if (all_low <= j0 && j0 + kValueRows <= all_high) {
                            ValueTile(shared, j0, own, o, l_b);
                          } else {
                            MaskedValueTile(shared, j0, own, low, high, o, l_b);
                          }
                        });

    if (own_sees) {
      l = seen ? Merged(l, a, l_b, c) : l_b;
      m = n;
      seen = true;
    }
#pragma unroll
    for (int i = 0; i < 8; ++i) {
      const int row = TileRow(i);
      if (!shared.visible[row]) continue;
      const bool first = shared.first[row];
      const float a_i = shared.a[row], c_i = shared.c[row];
#pragma unroll
      for (int k = 0; k < 4; ++k) {
        all[i][k] = first ? o[i][k] : Merged(all[i][k], a_i, o[i][k], c_i);
      }
    }
  }

  if (lane < 8) shared.l[own] = l;
  __syncthreads();
#pragma unroll
  for (int i = 0; i < 8; ++i) {
    const int row = TileRow(i);
    const int64_t d = d0 + TileColumn() * 4;
    if (rows.first + row > rows.last) continue;
    Storage* out = y + (rows.Token(row) * shape.H + rows.Head(row)) * D;
#pragma unroll
    for (int k = 0; k < 4; ++k) {
      if (d + k < D) out[d + k] = Narrow<Storage>(all[i][k] / shared.l[row]);
    }
  }
}

template <typename Storage>
void Run(View<const Storage, 'T', 'H', 'D'> q, View<const Storage, 'S', 'G', 'D'> keys,
         View<const Storage, 'S', 'G', 'D'> values, View<const int64_t, 'T'> positions,
         int64_t chunk, View<Storage, 'T', 'H', 'D'> y) {
  const Shape shape =
      CheckedShape(Extent<'T'>(q, positions, y), Extent<'S'>(keys, values), Extent<'H'>(q, y),
                   Extent<'G'>(keys, values), Extent<'D'>(q, keys, values, y), chunk);
  if (shape.T * shape.H == 0) return;
  const bool wide = IsWide(q.data, keys.data, values.data) && shape.D % kChunk<Storage> == 0;
  simt::Launch({.grid = dim3(simt::BlocksFor(shape.T * (shape.H / shape.G), kTileRows),
                             simt::BlocksFor(shape.G, 1), simt::BlocksFor(shape.D, kColumns)),
                .block = dim3(kTileThreads),
                .dynamic_shared = sizeof(TileShared)},
               wide ? QueryTiles<Storage, true> : QueryTiles<Storage, false>, Dense(q), Dense(keys),
               Dense(values), Dense(positions), shape, Dense(y));
}

}  // namespace

void query_tiles(View<const float, 'T', 'H', 'D'> q, View<const float, 'S', 'G', 'D'> keys,
                 View<const float, 'S', 'G', 'D'> values, View<const int64_t, 'T'> positions,
                 int64_t chunk, View<float, 'T', 'H', 'D'> y, int) {
  Run(q, keys, values, positions, chunk, y);
}
void query_tiles(View<const Bf16, 'T', 'H', 'D'> q, View<const Bf16, 'S', 'G', 'D'> keys,
                 View<const Bf16, 'S', 'G', 'D'> values, View<const int64_t, 'T'> positions,
                 int64_t chunk, View<Bf16, 'T', 'H', 'D'> y, int) {
  Run(q, keys, values, positions, chunk, y);
}

}  // namespace touchstone::kernels::attention
