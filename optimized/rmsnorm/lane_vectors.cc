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
using Halves = hn::Rebind<uint16_t, Floats>;
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

HWY_INLINE Vector LoadWide(const float* from) { return hn::LoadU(Floats(), from); }
HWY_INLINE Vector LoadWide(const Bf16* from) {
  const auto halves = hn::LoadU(Halves(), &from->bits);
  return hn::BitCast(Floats(), hn::ShiftLeft<16>(hn::PromoteTo(Words(), halves)));
}

// NarrowToBf16 of each lane; its 16 bits lie in the upper half of the lane, the lower is undefined.
HWY_INLINE hn::Vec<Words> NarrowedWords(Vector x) {
  const Words d;
  const auto bits = hn::BitCast(d, x);
  const auto odd = hn::And(hn::ShiftRight<16>(bits), hn::Set(d, 1));
  const auto rounded = hn::Add(bits, hn::Add(odd, hn::Set(d, 0x7fff)));
  const auto nan = hn::RebindMask(d, hn::IsNaN(x));
  return hn::IfThenElse(nan, hn::Set(d, kCanonicalNanF32), rounded);
}

// Elements that one step of the second reading takes: a whole vector of the storage.
template <typename Storage>
constexpr int64_t kStep = kL * 4 / static_cast<int64_t>(sizeof(Storage));

// y = RN(RN(x * r) * weight) of one step. A store past the caches needs `to` aligned.
HWY_INLINE void ScaleStep(const float* x, const float* weight, Vector r, bool past_caches,
                          float* to) {
  const Floats d;
  const Vector y = hn::Mul(hn::Mul(LoadWide(x), r), LoadWide(weight));
  if (past_caches) {
    hn::Stream(y, d, to);
  } else {
    hn::StoreU(y, d, to);
  }
}
HWY_INLINE hn::Vec<Halves> ScaledHalf(const Bf16* x, const Bf16* weight, Vector r) {
  const auto upper = hn::Set(Words(), 0xffff0000u);
  const Vector unit = hn::BitCast(Floats(), hn::And(NarrowedWords(hn::Mul(LoadWide(x), r)), upper));
  const auto words = NarrowedWords(hn::Mul(unit, LoadWide(weight)));
  return hn::TruncateTo(Halves(), hn::ShiftRight<16>(words));
}
HWY_INLINE void ScaleStep(const Bf16* x, const Bf16* weight, Vector r, bool past_caches, Bf16* to) {
  const auto low = ScaledHalf(x, weight, r), high = ScaledHalf(x + kL, weight + kL, r);
#if HWY_TARGET == HWY_SCALAR
  (void)past_caches;
  to[0].bits = hn::GetLane(low);
  to[1].bits = hn::GetLane(high);
#else
  const hn::Repartition<uint16_t, Floats> d;
  const auto both = hn::Combine(d, high, low);
  if (past_caches) {
    hn::Stream(both, d, &to->bits);
  } else {
    hn::StoreU(both, d, &to->bits);
  }
#endif
}

// sum over c of x[c]^2 in 256 lanes.
template <typename Storage>
float SumOfSquaresOf(const Storage* x, int64_t C) {
  const Floats d;
  HWY_ALIGN float lane[kLanes] = {};
  int64_t c = 0;
  for (; c + kLanes <= C; c += kLanes) {
    for (int64_t j = 0; j < kLanes; j += kL) {
      hn::Store(Square(LoadWide(x + c + j), hn::Load(d, lane + j)), d, lane + j);
    }
  }
  for (int64_t j = 0; c < C; ++c, ++j) lane[j] = std::fma(Widen(x[c]), Widen(x[c]), lane[j]);

  int64_t half = kLanes / 2;
  for (; half >= kL; half /= 2) {
    for (int64_t j = 0; j < half; j += kL) {
      hn::Store(hn::Add(hn::Load(d, lane + j), hn::Load(d, lane + j + half)), d, lane + j);
    }
  }
  for (; half >= 1; half /= 2) {
    for (int64_t j = 0; j < half; ++j) lane[j] += lane[j + half];
  }
  return lane[0];
}

// One row, all three dense. y may be x.
template <typename Storage>
void Row(const Storage* x, const Storage* weight, int64_t C, float eps, bool past_caches,
         Storage* y) {
  const float mean = SumOfSquaresOf(x, C) / static_cast<float>(C);
  const float r = 1.0f / std::sqrt(mean + eps);
  const Vector factor = hn::Set(Floats(), r);
  const bool aligned = reinterpret_cast<uintptr_t>(y) % (static_cast<size_t>(kL) * 4) == 0;
  int64_t c = 0;
  for (; c + kStep<Storage> <= C; c += kStep<Storage>) {
    ScaleStep(x + c, weight + c, factor, past_caches && aligned, y + c);
  }
  for (; c < C; ++c) {
    y[c] = Narrow<Storage>(RoundTo<Storage>(Widen(x[c]) * r) * Widen(weight[c]));
  }
}

// Rows t = 0 .. T - 1 of dense rows.
template <typename Storage>
void Rows(View<const Storage, 'T', 'C'> x, const Storage* weight, float eps, bool past_caches,
          View<Storage, 'T', 'C'> y) {
  for (int64_t t = 0; t < x.shape[0]; ++t) {
    Row(x.data + t * x.stride[0], weight, x.shape[1], eps, past_caches, y.data + t * y.stride[0]);
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
