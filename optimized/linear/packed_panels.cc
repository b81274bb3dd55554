// Linear with SIMD across outputs: a vector holds one k of several outputs, so that each lane is
// the reference's chain (N3) and threads, vector length and blocking never reach a bit.
//
//   up to kStreamed tokens   the weights are read once, row by row, and meet the tokens' x[k] in
//                            registers: what limits it is memory; so for more tokens too, some at a
//                            time, where the outputs fill half a panel at most, as a router's 16 do
//                            with AVX-512
//   more tokens              panels: the weights of a slice are packed [k][outputs of a tile], the
//                            tokens [k][tokens of a tile]; a tile of sums stays in registers for a
//                            whole slice: what limits it is the rate of fma
//
// A slice's sum starts at +0 in registers and is added to its total in memory when the slice ends,
// which is rule N3 as it stands: no partial sum is ever continued in another order. Where a target
// has no vector fma, its lanes are std::fma one by one: slow, the same bits.
#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <new>
#include <utility>

#include "reference/arithmetic/chain.h"
#include "reference/arithmetic/parallel.h"
#include "reference/ops/linear/linear.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "optimized/linear/packed_panels.cc"
#include <hwy/foreach_target.h>
// What is compiled for each target needs its operations first.
#include <hwy/aligned_allocator.h>
#include <hwy/cache_control.h>
#include <hwy/highway.h>

#ifndef TOUCHSTONE_PACKED_PANELS_SHARED
#define TOUCHSTONE_PACKED_PANELS_SHARED
namespace touchstone::optimized::linear {
namespace {

// Outputs whose packed weights of one slice (256 KiB) stay in the second cache.
constexpr int64_t kBlock = 128;
// Tokens that are worked on together: their sums of a block take 512 KiB.
constexpr int64_t kTokens = 1024;

// What one target offers; described where it is defined.
template <typename Storage>
struct Kernels {
  using Weight = View<const Storage, 'F', 'C'>;
  int64_t streamed = 0;                          // most tokens of a call of `stream`
  int64_t panel = 0;                             // outputs
  int64_t (*stream_width)(int64_t T) = nullptr;  // outputs of a part
  void (*stream)(Weight, const float* x, int64_t part, View<Storage, 'T', 'F'> y) = nullptr;
  void (*pack_tokens)(View<const Storage, 'T', 'C'> x, int64_t begin, float* out) = nullptr;
  void (*block)(Weight, const float* x, int64_t block, View<Storage, 'T', 'F'> y) = nullptr;
};

}  // namespace
}  // namespace touchstone::optimized::linear
#endif  // TOUCHSTONE_PACKED_PANELS_SHARED

HWY_BEFORE_NAMESPACE();
namespace touchstone::optimized::linear::HWY_NAMESPACE {
namespace {
#include "optimized/linear/columns.inc"

// The tile of sums that fills the registers: kTileRows tokens of kPanel outputs.
#if HWY_TARGET == HWY_AVX3 || HWY_TARGET == HWY_AVX3_DL
constexpr int kTileRows = 14;
#elif HWY_TARGET == HWY_AVX2
constexpr int kTileRows = 6;
#elif HWY_TARGET == HWY_NEON
constexpr int kTileRows = 8;
#else
constexpr int kTileRows = 4;
#endif
constexpr int64_t kPanel = 2 * kL;
// Tokens whose sums are in registers together, and the most that do without panels.
constexpr int kTogether = 8;
constexpr int64_t kStreamed = 16;

// hwy::Prefetch asks for the first cache too.
HWY_INLINE void ToSecondCache(const void* line) { __builtin_prefetch(line, 0, 2); }

// total = sum for the first slice, total + sum for a later one.
template <class D>
HWY_INLINE void AddSlice(D d, hn::Vec<D> sum, bool first, float* total) {
  hn::StoreU(first ? sum : hn::Add(hn::LoadU(d, total), sum), d, total);
}

// Few tokens.

// The vectors of a group of rows, one row a lane. Processors follow eight streams of memory better
// than sixteen, and rows whose distance is a multiple of 4096 bytes lie in one set of the first
// cache, where a Zen 4 has room for eight lines. Measured there, f32 rows of C = 5120 pass 25 GB/s
// eight by eight and 17 GB/s sixteen by sixteen.
template <typename Storage>
using StreamTag = hn::CappedTag<float, sizeof(Storage) == sizeof(Bf16) ? 16 : 8>;
template <typename Storage>
constexpr int64_t kGroup = kLanesOf<StreamTag<Storage>>;

// Groups that are read side by side. A chain takes one k in the four cycles or so that an fma
// takes, so eight rows of bf16 pass half the bytes of eight rows of f32: two groups of them pass
// more, but for so many tokens that their sums and the columns no longer fit the registers.
template <typename Storage>
constexpr int GroupsOf(int64_t T) {
  return sizeof(Storage) == sizeof(Bf16) && kGroup<Storage> <= 8 && T <= 2 ? 2 : 1;
}

// Elements of a row between what is read and what is asked for: at the bandwidth of one core, what
// eight or sixteen rows pass in some 300 ns.
constexpr int64_t kAhead = 512;

// Asks for what `count` rows hold kAhead after element k, at their end for the next rows. It is to
// come to the second cache alone: rows whose distance is a multiple of 4096 bytes lie in one set of
// the first, where there is no room for more of them than are worked on.
template <typename Storage>
HWY_INLINE void AskAhead(const Storage* rows, int64_t stride, int64_t count, int64_t k, int64_t C) {
  const int64_t next = k + kAhead;
  const Storage* first = next < C ? rows + next : rows + count * stride + next - C;
  for (int64_t i = 0; i < count; ++i) ToSecondCache(first + i * stride);
}

// Adds the products of one step, 16 bytes of each row of a group, to the sums of kT tokens.
template <typename Storage, int kT>
HWY_INLINE void AddStep(const Storage* rows, int64_t stride, const float* x, int64_t C,
                        hn::Vec<StreamTag<Storage>>* HWY_RESTRICT sum) {
  constexpr int kStep = kColumnsOf<Storage>;
  const StreamTag<Storage> d;
  hn::Vec<StreamTag<Storage>> w[kStep];
  LoadColumns(d, rows, stride, w);
#pragma GCC unroll 8
  for (int j = 0; j < kStep; ++j) {
#pragma GCC unroll 8
    for (int t = 0; t < kT; ++t) {
      sum[t] = Fma(d, hn::Set(d, x[t * C + j]), w[j], sum[t]);
    }
  }
}

// What a slice of some rows adds to the totals of some tokens, kGroups * kGroup a token.
struct Slice {
  int64_t stride = 0, C = 0, begin = 0, length = 0;
};

template <int kT, int kGroups, typename Storage>
void StreamSlice(const Storage* rows, const Slice& slice, bool ask, const float* x, float* total) {
  constexpr int kStep = kColumnsOf<Storage>;
  // A line of the first cache is used up before the next group's are touched.
  constexpr auto kLine = static_cast<int64_t>(64 / sizeof(Storage));
  const int64_t stride = slice.stride, C = slice.C, end = slice.begin + slice.length;
  constexpr int64_t kRows = kGroup<Storage>;
  const StreamTag<Storage> d;
  hn::Vec<StreamTag<Storage>> sum[kGroups][kT];
  for (int g = 0; g < kGroups; ++g) {
    for (int t = 0; t < kT; ++t) sum[g][t] = hn::Zero(d);
  }
  int64_t k = slice.begin;
  for (; k + kLine <= end; k += kLine) {
    if (ask) AskAhead(rows, stride, kGroups * kRows, k, C);
#pragma GCC unroll 2
    for (int g = 0; g < kGroups; ++g) {
#pragma GCC unroll 16
      for (int64_t step = k; step < k + kLine; step += kStep) {
        AddStep<Storage, kT>(rows + g * kRows * stride + step, stride, x + step, C, sum[g]);
      }
    }
  }
  for (; k < end; ++k) {
    for (int g = 0; g < kGroups; ++g) {
      const auto w = LoadColumn(d, rows + g * kRows * stride + k, stride);
      for (int t = 0; t < kT; ++t) sum[g][t] = Fma(d, hn::Set(d, x[t * C + k]), w, sum[g][t]);
    }
  }
  for (int t = 0; t < kT; ++t) {
    for (int g = 0; g < kGroups; ++g) {
      AddSlice(d, sum[g][t], slice.begin == 0, total + (t * kGroups + g) * kRows);
    }
  }
}

template <typename Storage>
using SliceFunction = void (*)(const Storage*, const Slice&, bool, const float*, float*);
template <typename Storage, int... kT>
constexpr std::array<SliceFunction<Storage>, sizeof...(kT)> SliceFunctions(
    std::integer_sequence<int, kT...>) {
  return {StreamSlice<kT + 1, GroupsOf<Storage>(kT + 1), Storage>...};
}

// The outputs of some groups of rows for all tokens: a slice of the rows is read from memory for
// the first tokens, and is in the first cache for the others. The last rows start earlier, so that
// they are whole groups, and write only what no others have written. x is (T, C) dense.
template <typename Storage>
void StreamRows(View<const Storage, 'F', 'C'> weight, const float* x, int64_t part,
                View<Storage, 'T', 'F'> y) {
  static constexpr auto kFunctions =
      SliceFunctions<Storage>(std::make_integer_sequence<int, kTogether>());
  const int64_t T = y.shape[0], C = weight.shape[1], width = GroupsOf<Storage>(T) * kGroup<Storage>;
  const int64_t first = std::min(part * width, weight.shape[0] - width);
  HWY_ALIGN float total[kStreamed * 2 * kL] = {};
  for (int64_t begin = 0; begin < C; begin += kSliceLength) {
    const Slice slice{weight.stride[0], C, begin, std::min(kSliceLength, C - begin)};
    const int64_t turns = (T + kTogether - 1) / kTogether;
    for (int64_t turn = 0; turn < turns; ++turn) {
      const int64_t t = T * turn / turns, count = T * (turn + 1) / turns - t;
      // Of more than eight tokens no turn has as few as two, so all turns have the same width.
      kFunctions[static_cast<size_t>(count - 1)](&weight(first, 0), slice, turn == 0, x + t * C,
                                                 total + t * width);
    }
  }
  for (int64_t t = 0; t < T; ++t) {
    for (int64_t f = part * width - first; f < width; ++f) {
      y(t, first + f) = Narrow<Storage>(total[t * width + f]);
    }
  }
}

// Many tokens.

// kRows tokens by kPanel outputs over one slice.
template <int kRows>
HWY_NOINLINE void Tile(const float* HWY_RESTRICT x, const float* HWY_RESTRICT panel, int64_t length,
                       bool first, float* HWY_RESTRICT total) {
  const Floats d;
  Vector left[kRows], right[kRows];
#pragma GCC unroll 16
  for (int i = 0; i < kRows; ++i) {
    left[i] = right[i] = hn::Zero(d);
    hwy::Prefetch(total + i * kBlock);
  }
#pragma GCC unroll 4
  for (int64_t k = 0; k < length; ++k) {
    const Vector a = hn::Load(d, panel), b = hn::Load(d, panel + kL);
#pragma GCC unroll 16
    for (int i = 0; i < kRows; ++i) {
      const Vector each = hn::Set(d, x[i]);
      left[i] = Fma(d, each, a, left[i]);
      right[i] = Fma(d, each, b, right[i]);
    }
    x += kRows;
    panel += kPanel;
  }
#pragma GCC unroll 16
  for (int i = 0; i < kRows; ++i) {
    AddSlice(d, left[i], first, total + i * kBlock);
    AddSlice(d, right[i], first, total + i * kBlock + kL);
  }
}

using TileFunction = decltype(&Tile<1>);
template <int... kRows>
constexpr std::array<TileFunction, sizeof...(kRows)> Tiles(std::integer_sequence<int, kRows...>) {
  return {Tile<kRows + 1>...};
}
constexpr auto kTiles = Tiles(std::make_integer_sequence<int, kTileRows>());

// T tokens are cut into tiles of nearly equal height: tile i starts at this one.
int64_t TileCount(int64_t T) { return (T + kTileRows - 1) / kTileRows; }
int64_t TileBegin(int64_t T, int64_t tile) { return T * tile / TileCount(T); }

// One slice of the tokens, tile after tile, [k][tokens of the tile].
template <typename Storage>
void PackTokens(View<const Storage, 'T', 'C'> x, int64_t begin, float* out) {
  const int64_t T = x.shape[0], end = std::min(x.shape[1], begin + kSliceLength);
  for (int64_t tile = 0; tile < TileCount(T); ++tile) {
    const int64_t first = TileBegin(T, tile), rows = TileBegin(T, tile + 1) - first;
    const Storage* from = &x(first, begin);
    for (int64_t k = 0; k < end - begin; ++k) {
      for (int64_t t = 0; t < rows; ++t) *out++ = Widen(from[t * x.stride[0] + k * x.stride[1]]);
    }
  }
}

// The weights of kPanel outputs in one slice, [k][outputs]; rows that do not exist are zeros.
template <typename Storage>
void PackPanel(View<const Storage, 'F', 'C'> weight, int64_t first, int64_t begin, float* out) {
  const Floats d;
  const int64_t width = std::min(kPanel, weight.shape[0] - first);
  const int64_t length = std::min(kSliceLength, weight.shape[1] - begin);
  if (width < kPanel || weight.stride[1] != 1) {
    for (int64_t k = 0; k < length; ++k) {
      for (int64_t f = 0; f < kPanel; ++f) {
        out[k * kPanel + f] = f < width ? Widen(weight(first + f, begin + k)) : 0.0f;
      }
    }
    return;
  }
  constexpr int kStep = kColumnsOf<Storage>;
  for (int64_t g = 0; g < kPanel; g += kL) {
    const Storage* rows = &weight(first + g, begin);
    const int64_t stride = weight.stride[0];
    int64_t k = 0;
    for (; k + kStep <= length; k += kStep) {
      if (k % static_cast<int64_t>(64 / sizeof(Storage)) == 0) {
        for (int64_t i = kL; i < 2 * kL; ++i) ToSecondCache(rows + i * stride + k);
      }
      Vector w[kStep];
      LoadColumns(d, rows + k, stride, w);
      for (int j = 0; j < kStep; ++j) hn::Store(w[j], d, out + (k + j) * kPanel + g);
    }
    for (; k < length; ++k) hn::Store(LoadColumn(d, rows + k, stride), d, out + k * kPanel + g);
  }
}

// All tokens, and the outputs of one block. x is packed by PackTokens, slice after slice.
template <typename Storage>
void Block(View<const Storage, 'F', 'C'> weight, const float* x, int64_t block,
           View<Storage, 'T', 'F'> y) {
  const int64_t T = y.shape[0], C = weight.shape[1];
  const int64_t first = block * kBlock, width = std::min(kBlock, weight.shape[0] - first);
  const auto panels = hwy::AllocateAligned<float>(static_cast<size_t>(kSliceLength * kBlock));
  const auto total = hwy::AllocateAligned<float>(static_cast<size_t>(T * kBlock));
  if (!panels || !total) throw std::bad_alloc();

  for (int64_t begin = 0; begin < C; begin += kSliceLength) {
    const int64_t length = std::min(kSliceLength, C - begin);
    for (int64_t f = 0; f < width; f += kPanel) {
      PackPanel(weight, first + f, begin, panels.get() + f * length);
    }
    for (int64_t tile = 0; tile < TileCount(T); ++tile) {
      const int64_t t = TileBegin(T, tile), rows = TileBegin(T, tile + 1) - t;
      for (int64_t f = 0; f < width; f += kPanel) {
        kTiles[static_cast<size_t>(rows - 1)](x + begin * T + t * length, panels.get() + f * length,
                                              length, begin == 0, total.get() + t * kBlock + f);
      }
    }
  }

  for (int64_t t = 0; t < T; ++t) {
    for (int64_t f = 0; f < width; ++f) {
      y(t, first + f) = Narrow<Storage>(total[static_cast<size_t>(t * kBlock + f)]);
    }
  }
}

template <typename Storage>
Kernels<Storage> KernelsOf() {
  const auto width = [](int64_t T) { return kGroup<Storage> * GroupsOf<Storage>(T); };
  return {kStreamed, kPanel, width, StreamRows<Storage>, PackTokens<Storage>, Block<Storage>};
}
Kernels<float> KernelsF32() { return KernelsOf<float>(); }
Kernels<Bf16> KernelsBf16() { return KernelsOf<Bf16>(); }

}  // namespace
}  // namespace touchstone::optimized::linear::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace touchstone::optimized::linear {
namespace {

HWY_EXPORT(KernelsF32);
HWY_EXPORT(KernelsBf16);

// The tokens dense and widened. A copy pays in f32 too: rows that come from memory are asked for by
// the loop that copies them, and not by the one that computes.
template <typename Storage>
hwy::AlignedFreeUniquePtr<float[]> WidenedTokens(View<const Storage, 'T', 'C'> x) {
  const int64_t T = x.shape[0], C = x.shape[1];
  auto tokens = hwy::AllocateAligned<float>(static_cast<size_t>(T * C));
  if (!tokens) throw std::bad_alloc();
  for (int64_t t = 0; t < T; ++t) {
    const Storage* from = x.data + t * x.stride[0];
    float* to = tokens.get() + t * C;
    if (x.stride[1] == 1) {
      for (int64_t c = 0; c < C; ++c) to[c] = Widen(from[c]);
    } else {
      for (int64_t c = 0; c < C; ++c) to[c] = Widen(from[c * x.stride[1]]);
    }
  }
  return tokens;
}

// Each part of the outputs by one thread.
template <typename Storage>
void StreamAll(const Kernels<Storage>& kernels, View<const Storage, 'T', 'C'> x,
               View<const Storage, 'F', 'C'> weight, View<Storage, 'T', 'F'> y, int threads) {
  const int64_t width = kernels.stream_width(x.shape[0]);
  const auto tokens = WidenedTokens(x);
  ParallelFor((weight.shape[0] + width - 1) / width, threads,
              [&](int64_t part) { kernels.stream(weight, tokens.get(), part, y); });
}

// All outputs of some tokens, block by block.
template <typename Storage>
void PanelsOf(const Kernels<Storage>& kernels, View<const Storage, 'T', 'C'> x,
              View<const Storage, 'F', 'C'> weight, View<Storage, 'T', 'F'> y, int threads) {
  const int64_t T = x.shape[0], C = x.shape[1];
  const auto tokens = hwy::AllocateAligned<float>(static_cast<size_t>(T * C));
  if (!tokens) throw std::bad_alloc();
  ParallelFor((C + kSliceLength - 1) / kSliceLength, threads, [&](int64_t slice) {
    kernels.pack_tokens(x, slice * kSliceLength, tokens.get() + slice * kSliceLength * T);
  });
  ParallelFor((weight.shape[0] + kBlock - 1) / kBlock, threads,
              [&](int64_t block) { kernels.block(weight, tokens.get(), block, y); });
}

template <typename Element, char kWidth>
View<Element, 'T', kWidth> Tokens(View<Element, 'T', kWidth> all, int64_t begin, int64_t end) {
  all.shape[0] = end - begin;
  all.data += begin * all.stride[0];
  return all;
}

template <typename Storage>
void Multiply(const Kernels<Storage>& kernels, View<const Storage, 'T', 'C'> x,
              View<const Storage, 'F', 'C'> weight, View<Storage, 'T', 'F'> y, int threads) {
  const int64_t T = Extent<'T'>(x, y), C = Extent<'C'>(x, weight), F = Extent<'F'>(weight, y);
  if (C == 0) {
    for (int64_t t = 0; t < T; ++t) {
      for (int64_t f = 0; f < F; ++f) y(t, f) = Narrow<Storage>(0.0f);
    }
    return;
  }
  if (T == 0 || F == 0) return;
  const bool is_streamed = T <= kernels.streamed || 2 * F <= kernels.panel;
  if (is_streamed && weight.stride[1] == 1 &&
      F >= kernels.stream_width(std::min(T, kernels.streamed))) {
    const int64_t parts = (T + kernels.streamed - 1) / kernels.streamed;
    ParallelFor(parts, threads, [&](int64_t part) {
      const int64_t begin = T * part / parts, end = T * (part + 1) / parts;
      StreamAll(kernels, Tokens(x, begin, end), weight, Tokens(y, begin, end),
                parts > 1 ? 1 : threads);
    });
    return;
  }
  for (int64_t t = 0; t < T; t += kTokens) {
    const int64_t end = std::min(T, t + kTokens);
    PanelsOf(kernels, Tokens(x, t, end), weight, Tokens(y, t, end), threads);
  }
}

}  // namespace

void packed_panels(View<const float, 'T', 'C'> x, View<const float, 'F', 'C'> weight,
                   View<float, 'T', 'F'> y, int threads) {
  Multiply(HWY_DYNAMIC_DISPATCH(KernelsF32)(), x, weight, y, threads);
}
void packed_panels(View<const Bf16, 'T', 'C'> x, View<const Bf16, 'F', 'C'> weight,
                   View<Bf16, 'T', 'F'> y, int threads) {
  Multiply(HWY_DYNAMIC_DISPATCH(KernelsBf16)(), x, weight, y, threads);
}

}  // namespace touchstone::optimized::linear
#endif  // HWY_ONCE
