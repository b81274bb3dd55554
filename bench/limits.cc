#include "bench/limits.h"

#include <algorithm>
#include <atomic>
#include <cstring>

#include "reference/arithmetic/parallel.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "bench/limits.cc"
#include <hwy/foreach_target.h>
// What is compiled for each target needs its operations first.
#include <hwy/cache_control.h>
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace touchstone::bench::HWY_NAMESPACE {
namespace {
namespace hn = hwy::HWY_NAMESPACE;

using Floats = hn::ScalableTag<float>;
constexpr int kChains = 12;  // latency times throughput of the processors at hand, and some more
constexpr int64_t kL = static_cast<int64_t>(hn::MaxLanes(Floats()));

int64_t Lanes() { return kL; }

float Fma(int64_t steps) {
  const Floats d;
  hn::Vec<Floats> sum[kChains];
  for (int i = 0; i < kChains; ++i) sum[i] = hn::Set(d, static_cast<float>(i));
  const auto factor = hn::Set(d, 0.999f), term = hn::Set(d, 0.001f);
  for (int64_t step = 0; step < steps; ++step) {
#pragma GCC unroll 12
    for (int i = 0; i < kChains; ++i) sum[i] = hn::MulAdd(sum[i], factor, term);
  }
  for (int i = 1; i < kChains; ++i) sum[0] = hn::Add(sum[0], sum[i]);
  return hn::GetLane(sum[0]);
}

// Four neighbouring vectors a step; the rest byte by byte.
float Read(const uint8_t* from, int64_t bytes) {
  const Floats d;
  const hn::Repartition<uint8_t, Floats> d8;
  constexpr int64_t kStep = 4 * kL * 4;
  hn::Vec<Floats> sum[4] = {hn::Zero(d), hn::Zero(d), hn::Zero(d), hn::Zero(d)};
  int64_t i = 0;
#if HWY_TARGET != HWY_SCALAR
  for (; i + kStep <= bytes; i += kStep) {
    hwy::Prefetch(from + i + 1024);
    if (kStep > 64) hwy::Prefetch(from + i + 1088);
#pragma GCC unroll 4
    for (int j = 0; j < 4; ++j) {
      sum[j] = hn::Xor(sum[j], hn::BitCast(d, hn::LoadU(d8, from + i + j * kL * 4)));
    }
  }
#endif
  float rest = 0.0f;
  for (; i < bytes; ++i) rest += static_cast<float>(from[i]);
  return rest + hn::GetLane(hn::Xor(hn::Xor(sum[0], sum[1]), hn::Xor(sum[2], sum[3])));
}

void Copy(const uint8_t* from, uint8_t* to, int64_t bytes, bool past_caches) {
  const hn::ScalableTag<uint8_t> d;
  constexpr auto kStep = static_cast<int64_t>(hn::MaxLanes(hn::ScalableTag<uint8_t>()));
  const bool aligned = reinterpret_cast<uintptr_t>(to) % static_cast<uintptr_t>(kStep) == 0;
  int64_t i = 0;
  if (past_caches && aligned) {
    for (; i + kStep <= bytes; i += kStep) hn::Stream(hn::LoadU(d, from + i), d, to + i);
    hwy::FlushStream();
  } else {
    for (; i + kStep <= bytes; i += kStep) hn::StoreU(hn::LoadU(d, from + i), d, to + i);
  }
  for (; i < bytes; ++i) to[i] = from[i];
}

}  // namespace
}  // namespace touchstone::bench::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace touchstone::bench {
namespace {
HWY_EXPORT(Lanes);
HWY_EXPORT(Fma);
HWY_EXPORT(Read);
HWY_EXPORT(Copy);
constexpr int kChainsOfAll = 12;
}  // namespace

float FmaLoop(int64_t steps, int threads) {
  std::atomic<float> any = 0.0f;
  ParallelFor(threads, threads, [&](int64_t) { any = HWY_DYNAMIC_DISPATCH(Fma)(steps); });
  return any;
}

double FmaFlops(int64_t steps) {
  return 2.0 * kChainsOfAll * static_cast<double>(HWY_DYNAMIC_DISPATCH(Lanes)()) *
         static_cast<double>(steps);
}

float ReadLoop(const void* from, int64_t bytes, int threads) {
  const auto* first = static_cast<const uint8_t*>(from);
  std::atomic<float> any = 0.0f;
  ParallelFor(threads, threads, [&](int64_t i) {
    const int64_t begin = bytes * i / threads, end = bytes * (i + 1) / threads;
    any = HWY_DYNAMIC_DISPATCH(Read)(first + begin, end - begin);
  });
  return any;
}

void CopyLoop(const void* from, void* to, int64_t bytes, bool past_caches) {
  HWY_DYNAMIC_DISPATCH(Copy)
  (static_cast<const uint8_t*>(from), static_cast<uint8_t*>(to), bytes, past_caches);
}

}  // namespace touchstone::bench
#endif  // HWY_ONCE
