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

// Eight streams side by side, which is what processors follow best, a line of 64 bytes of each in
// turn; what is left over one by one.
float Read(const float* from, int64_t count) {
  const Floats d;
  constexpr int64_t kStreams = 8, kLine = 16, kVectors = std::max<int64_t>(1, kLine / kL);
  hn::Vec<Floats> sum[kVectors];
  for (int64_t j = 0; j < kVectors; ++j) sum[j] = hn::Zero(d);
  const int64_t length = count / kStreams / kLine * kLine;
  for (int64_t i = 0; i < length; i += kLine) {
    for (int64_t stream = 0; stream < kStreams; ++stream) {
      const float* line = from + stream * length + i;
      for (int64_t j = 0; j < kVectors; ++j) {
        sum[j] = hn::Xor(sum[j], hn::LoadU(d, line + j * kL));
      }
    }
  }
  float rest = 0.0f;
  for (int64_t i = kStreams * length; i < count; ++i) rest += from[i];
  for (int64_t j = 1; j < kVectors; ++j) sum[0] = hn::Xor(sum[0], sum[j]);
  return rest + hn::GetLane(sum[0]);
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
  const auto* first = static_cast<const float*>(from);
  const int64_t count = bytes / 4;
  std::atomic<float> any = 0.0f;
  ParallelFor(threads, threads, [&](int64_t i) {
    const int64_t begin = count * i / threads, end = count * (i + 1) / threads;
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
