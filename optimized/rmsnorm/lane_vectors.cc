// RMSNorm with SIMD across the 256 lanes of rule N4: a vector holds neighbouring lanes, so that
// each lane's chain of fma and the fold are the reference's, whatever the vector's length.
//
// A row is read twice: once for its sum of squares, and, while it is still in the first caches,
// once more to be scaled. So what limits it is memory. Rows that together are larger than a cache
// are written past the caches, where the target has such a store.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include "reference/arithmetic/lanes.h"
#include "reference/ops/rmsnorm/rmsnorm.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "optimized/rmsnorm/lane_vectors.cc"
#include <hwy/foreach_target.h>
// What is compiled for each target needs its operations first.
#include <hwy/cache_control.h>
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace touchstone::optimized::rmsnorm::HWY_NAMESPACE {
namespace {
namespace hn = hwy::HWY_NAMESPACE;

using Floats = hn::ScalableTag<float>;
using Words = hn::RebindToUnsigned<Floats>;
using Vector = hn::Vec<Floats>;
constexpr int64_t kL = static_cast<int64_t>(hn::MaxLanes(Floats()));

// One rounding on every target: hn::MulAdd rounds twice where there is no such instruction.
HWY_INLINE Vector Square(Vector a, Vector c) {
#if HWY_TARGET == HWY_AVX2 || HWY_TARGET == HWY_AVX3 || HWY_TARGET == HWY_AVX3_DL || \
    HWY_TARGET == HWY_NEON
  return hn::MulAdd(a, a, c);
#else
  const Floats d;
  HWY_ALIGN float value[kL], sum[kL];
  hn::Store(a, d, value);
  hn::Store(c, d, sum);
  for (int64_t i = 0; i < kL; ++i) sum[i] = std::fma(value[i], value[i], sum[i]);
  return hn::Load(d, sum);
#endif
}

// One step: 2 * kL neighbouring elements, widened. Of f32 the first half and the second; of bf16
// the even ones and the odd ones, so that no element has to move to another word.
constexpr int64_t kStep = 2 * kL;
struct Two {
  Vector a, b;
};

HWY_INLINE Two LoadTwo(const float* from) {
  return {hn::LoadU(Floats(), from), hn::LoadU(Floats(), from + kL)};
}
HWY_INLINE Two LoadTwo(const Bf16* from) {
#if HWY_TARGET == HWY_SCALAR
  return {hn::Set(Floats(), Widen(from[0])), hn::Set(Floats(), Widen(from[1]))};
#else
  const hn::Repartition<uint16_t, Floats> d16;
  const auto words = hn::BitCast(Words(), hn::LoadU(d16, &from->bits));
  return {hn::BitCast(Floats(), hn::ShiftLeft<16>(words)),
          hn::BitCast(Floats(), hn::And(words, hn::Set(Words(), 0xffff0000u)))};
#endif
}

// Where LoadTwo puts element i of a step, counted from the first lane of a.
template <typename Storage>
int64_t LaneOf(int64_t i) {
  return sizeof(Storage) == sizeof(float) ? i : i % 2 * kL + i / 2;
}

// NarrowToBf16 of each lane; its 16 bits lie in the upper half of the lane, the lower is undefined.
// Where no lane can be a NaN, the choice of the canonical one is left out.
template <bool kMayBeNan>
HWY_INLINE hn::Vec<Words> NarrowedWords(Vector x) {
  const Words d;
  const auto bits = hn::BitCast(d, x);
  const auto odd = hn::And(hn::ShiftRight<16>(bits), hn::Set(d, 1));
  const auto rounded = hn::Add(bits, hn::Add(odd, hn::Set(d, 0x7fff)));
  if constexpr (kMayBeNan) {
    const auto nan = hn::RebindMask(d, hn::IsNaN(x));
    return hn::IfThenElse(nan, hn::Set(d, kCanonicalNanF32), rounded);
  } else {
    return rounded;
  }
}

// RN(RN(x * r) * weight), in the upper half of each word where it is bf16.
template <bool kMayBeNan>
HWY_INLINE hn::Vec<Words> ScaledWords(Vector x, Vector weight, Vector r) {
  const auto unit = NarrowedWords<kMayBeNan>(hn::Mul(x, r));
  const auto upper = hn::And(unit, hn::Set(Words(), 0xffff0000u));
  return NarrowedWords<kMayBeNan>(hn::Mul(hn::BitCast(Floats(), upper), weight));
}

// y of one step. A store past the caches needs `to` aligned.
template <bool kMayBeNan>
HWY_INLINE void ScaleStep(const float* x, const float* weight, Vector r, bool past_caches,
                          float* to) {
  const Floats d;
  const Two values = LoadTwo(x), factors = LoadTwo(weight);
  const Vector a = hn::Mul(hn::Mul(values.a, r), factors.a);
  const Vector b = hn::Mul(hn::Mul(values.b, r), factors.b);
  if (past_caches) {
    hn::Stream(a, d, to);
    hn::Stream(b, d, to + kL);
  } else {
    hn::StoreU(a, d, to);
    hn::StoreU(b, d, to + kL);
  }
}
template <bool kMayBeNan>
HWY_INLINE void ScaleStep(const Bf16* x, const Bf16* weight, Vector r, bool past_caches, Bf16* to) {
  const Two values = LoadTwo(x), factors = LoadTwo(weight);
  const auto even = hn::ShiftRight<16>(ScaledWords<kMayBeNan>(values.a, factors.a, r));
  const auto odd = ScaledWords<kMayBeNan>(values.b, factors.b, r);
#if HWY_TARGET == HWY_SCALAR
  (void)past_caches;
  to[0].bits = static_cast<uint16_t>(hn::GetLane(even));
  to[1].bits = static_cast<uint16_t>(hn::GetLane(odd) >> 16);
#else
  const hn::Repartition<uint16_t, Floats> d16;
  const auto both = hn::BitCast(d16, hn::Or(even, hn::And(odd, hn::Set(Words(), 0xffff0000u))));
  if (past_caches) {
    hn::Stream(both, d16, &to->bits);
  } else {
    hn::StoreU(both, d16, &to->bits);
  }
#endif
}

// Steps whose lanes are in registers together: all 256 lanes with 32 registers of 64 bytes.
#if HWY_TARGET == HWY_AVX3 || HWY_TARGET == HWY_AVX3_DL || HWY_TARGET == HWY_NEON
constexpr int kHeld = 8;
#else
constexpr int kHeld = 4;
#endif
constexpr auto kHeldSteps = std::min<int64_t>(kHeld, kLanes / kStep);

// x[c]^2 of all whole rounds of 256, in the lanes from j on that are held together.
template <typename Storage>
HWY_INLINE void AddRounds(const Storage* x, int64_t rounds, int64_t j, float* lane) {
  const Floats d;
  Vector a[kHeldSteps], b[kHeldSteps];
#pragma GCC unroll 8
  for (int64_t s = 0; s < kHeldSteps; ++s) a[s] = b[s] = hn::Zero(d);
  for (int64_t round = 0; round < rounds; ++round) {
#pragma GCC unroll 8
    for (int64_t s = 0; s < kHeldSteps; ++s) {
      const Two values = LoadTwo(x + round * kLanes + j + s * kStep);
      a[s] = Square(values.a, a[s]);
      b[s] = Square(values.b, b[s]);
    }
  }
#pragma GCC unroll 8
  for (int64_t s = 0; s < kHeldSteps; ++s) {
    hn::Store(a[s], d, lane + j + s * kStep);
    hn::Store(b[s], d, lane + j + s * kStep + kL);
  }
}

// sum over c of x[c]^2 in 256 lanes. Within a step the lanes lie as LoadTwo puts them; the fold
// adds whole steps until one is left.
template <typename Storage>
float SumOfSquaresOf(const Storage* x, int64_t C) {
  const Floats d;
  HWY_ALIGN float lane[kLanes];
  const int64_t rounds = C / kLanes;
  for (int64_t j = 0; j < kLanes; j += kHeldSteps * kStep) AddRounds(x, rounds, j, lane);
  const auto add_step = [&](int64_t c, int64_t j) HWY_ATTR {
    const Two values = LoadTwo(x + c);
    hn::Store(Square(values.a, hn::Load(d, lane + j)), d, lane + j);
    hn::Store(Square(values.b, hn::Load(d, lane + j + kL)), d, lane + j + kL);
  };
  int64_t c = rounds * kLanes;
  int64_t j = 0;
  for (; c + kStep <= C; c += kStep, j += kStep) add_step(c, j);
  for (int64_t i = 0; c < C; ++c, ++i) {
    float& mine = lane[j + LaneOf<Storage>(i)];
    mine = std::fma(Widen(x[c]), Widen(x[c]), mine);
  }

  for (int64_t half = kLanes / 2; half >= kStep; half /= 2) {
    for (int64_t i = 0; i < half; i += kL) {
      hn::Store(hn::Add(hn::Load(d, lane + i), hn::Load(d, lane + i + half)), d, lane + i);
    }
  }
  float last[kStep];
  for (int64_t i = 0; i < kStep; ++i) last[i] = lane[LaneOf<Storage>(i)];
  for (int64_t half = kStep / 2; half >= 1; half /= 2) {
    for (int64_t i = 0; i < half; ++i) last[i] += last[i + half];
  }
  return last[0];
}

// Whether every weight is finite.
bool AllFinite(const Bf16* weight, int64_t C) {
  uint16_t largest = 0;  // magnitude, by its bits: infinity's and, above it, NaN's are the largest
  for (int64_t c = 0; c < C; ++c) {
    largest = std::max(largest, static_cast<uint16_t>(weight[c].bits & 0x7fff));
  }
  return largest < 0x7f80;
}
bool AllFinite(const float*, int64_t) { return false; }  // nobody asks: nothing is narrowed

// The second reading of a row. For each line it has read it asks for one of the next row, to come
// to the second cache: the first has no room for both.
template <bool kMayBeNan, typename Storage>
HWY_INLINE void ScaleRow(const Storage* x, const Storage* next, const Storage* weight, int64_t C,
                         float r, bool past_caches, Storage* y) {
  constexpr auto kLine = static_cast<int64_t>(64 / sizeof(Storage));
  const Vector factor = hn::Set(Floats(), r);
  int64_t c = 0;
  for (; c + kStep <= C; c += kStep) {
    if (c % kLine == 0) __builtin_prefetch(next + c, 0, 2);
    ScaleStep<kMayBeNan>(x + c, weight + c, factor, past_caches, y + c);
  }
  for (; c < C; ++c) {
    y[c] = Narrow<Storage>(RoundTo<Storage>(Widen(x[c]) * r) * Widen(weight[c]));
  }
}

// Rows t = 0 .. T - 1, all three dense. y may be x.
template <typename Storage>
void Rows(View<const Storage, 'T', 'C'> x, const Storage* weight, float eps, bool past_caches,
          View<Storage, 'T', 'C'> y) {
  const int64_t T = x.shape[0], C = x.shape[1];
  const bool finite = AllFinite(weight, C);
  for (int64_t t = 0; t < T; ++t) {
    const Storage *row = x.data + t * x.stride[0], *next = t + 1 < T ? row + x.stride[0] : row;
    Storage* to = y.data + t * y.stride[0];
    const bool aligned = reinterpret_cast<uintptr_t>(to) % (static_cast<size_t>(kL) * 4) == 0;
    const float mean = SumOfSquaresOf(row, C) / static_cast<float>(C);
    const float r = 1.0f / std::sqrt(mean + eps);
    // A finite sum has finite elements; their products with a finite r are no larger than the root
    // of C, so that none is infinite, and neither they nor theirs with finite weights are NaN.
    if (finite && std::isfinite(mean) && std::isfinite(r)) {
      ScaleRow<false>(row, next, weight, C, r, past_caches && aligned, to);
    } else {
      ScaleRow<true>(row, next, weight, C, r, past_caches && aligned, to);
    }
  }
  if (past_caches) hwy::FlushStream();
}
void RowsF32(View<const float, 'T', 'C'> x, const float* weight, float eps, bool past_caches,
             View<float, 'T', 'C'> y) {
  Rows(x, weight, eps, past_caches, y);
}
void RowsBf16(View<const Bf16, 'T', 'C'> x, const Bf16* weight, float eps, bool past_caches,
              View<Bf16, 'T', 'C'> y) {
  Rows(x, weight, eps, past_caches, y);
}

}  // namespace
}  // namespace touchstone::optimized::rmsnorm::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace touchstone::optimized::rmsnorm {
namespace {

HWY_EXPORT(RowsF32);
HWY_EXPORT(RowsBf16);

// Outputs of more bytes than these do not stay in a last-level cache.
constexpr int64_t kPastCaches = int64_t{16} << 20;

// `rows` takes dense rows; others are copied, one at a time.
template <typename Storage, typename RowsFunction>
void Normalize(RowsFunction rows, View<const Storage, 'T', 'C'> x, View<const Storage, 'C'> weight,
               float eps, View<Storage, 'T', 'C'> y) {
  const int64_t T = Extent<'T'>(x, y), C = Extent<'C'>(x, weight, y);
  TOUCHSTONE_REQUIRE(C > 0);
  if (x.stride[1] == 1 && y.stride[1] == 1 && weight.stride[0] == 1) {
    rows(x, weight.data, eps, T * C * static_cast<int64_t>(sizeof(Storage)) > kPastCaches, y);
    return;
  }
  std::vector<Storage> factors(static_cast<size_t>(C)), row(static_cast<size_t>(C));
  for (int64_t c = 0; c < C; ++c) factors[static_cast<size_t>(c)] = weight(c);
  const auto dense = Packed<'T', 'C'>(row.data(), 1, C);
  for (int64_t t = 0; t < T; ++t) {
    for (int64_t c = 0; c < C; ++c) dense(0, c) = x(t, c);
    rows(dense, factors.data(), eps, false, dense);
    for (int64_t c = 0; c < C; ++c) y(t, c) = dense(0, c);
  }
}

}  // namespace

void lane_vectors(View<const float, 'T', 'C'> x, View<const float, 'C'> weight, float eps,
                  View<float, 'T', 'C'> y) {
  Normalize(HWY_DYNAMIC_DISPATCH(RowsF32), x, weight, eps, y);
}
void lane_vectors(View<const Bf16, 'T', 'C'> x, View<const Bf16, 'C'> weight, float eps,
                  View<Bf16, 'T', 'C'> y) {
  Normalize(HWY_DYNAMIC_DISPATCH(RowsBf16), x, weight, eps, y);
}

}  // namespace touchstone::optimized::rmsnorm
#endif  // HWY_ONCE
