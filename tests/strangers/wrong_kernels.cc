// Kernels of op linear that are wrong in ways seen in real ones, each under a symbol of its own.
#include <algorithm>
#include <atomic>
#include <bit>
#include <cmath>
#include <thread>

#include "tests/strangers/linear_call.h"

namespace touchstone::strangers {
namespace {

// One chain over the first `count` channels; `add` makes the next sum.
template <typename Add>
void Multiply(LinearCall* linear, int64_t count, Add add) {
  for (int64_t t = 0; t < linear->T; ++t) {
    for (int64_t f = 0; f < linear->F; ++f) {
      float sum = 0.0f;
      for (int64_t c = 0; c < count; ++c) {
        sum = add(sum, linear->x[static_cast<size_t>(t * linear->C + c)],
                  linear->weight[static_cast<size_t>(f * linear->C + c)]);
      }
      linear->y[static_cast<size_t>(t * linear->F + f)] = sum;
    }
  }
}

float Fused(float sum, float x, float weight) { return std::fma(x, weight, sum); }

// The ten bits of fraction that a TF32 unit reads.
float Truncated(float x) {
  return std::isnan(x) ? x : std::bit_cast<float>(std::bit_cast<uint32_t>(x) & 0xffffe000u);
}

int TruncatedOperands(const touchstone_call* call) {
  LinearCall linear(*call);
  Multiply(&linear, linear.C, [](float sum, float x, float weight) {
    return std::fma(Truncated(x), Truncated(weight), sum);
  });
  linear.Store(*call);
  return 0;
}

// A tile of up to 16 x 16 outputs is written the wrong way around.
int TransposedTile(const touchstone_call* call) {
  LinearCall linear(*call);
  Multiply(&linear, linear.C, Fused);
  const int64_t edge = std::min<int64_t>({16, linear.T, linear.F});
  for (int64_t t = 0; t < edge; ++t) {
    for (int64_t f = 0; f < t; ++f) {
      std::swap(linear.y[static_cast<size_t>(t * linear.F + f)],
                linear.y[static_cast<size_t>(f * linear.F + t)]);
    }
  }
  linear.Store(*call);
  return 0;
}

// Vectors of 8 without what is left over: of the channels, of the columns.
int DroppedChannels(const touchstone_call* call) {
  LinearCall linear(*call);
  Multiply(&linear, linear.C / 8 * 8, Fused);
  linear.Store(*call);
  return 0;
}

int DroppedColumns(const touchstone_call* call) {
  LinearCall linear(*call);
  Multiply(&linear, linear.C, Fused);
  linear.Store(*call, linear.F / 8 * 8);
  return 0;
}

// To 11 significant bits, as a sum in f16 has, without its narrower range.
float ToHalf(float x) {
  if (x == 0.0f || !std::isfinite(x)) return x;
  int exponent = 0;
  const float fraction = std::frexp(x, &exponent);
  return std::ldexp(std::nearbyint(std::ldexp(fraction, 11)), exponent - 11);
}

int HalfSums(const touchstone_call* call) {
  LinearCall linear(*call);
  Multiply(&linear, linear.C,
           [](float sum, float x, float weight) { return ToHalf(std::fma(x, weight, sum)); });
  linear.Store(*call);
  return 0;
}

// Two threads each add their half of the channels to the same outputs, as a split-k kernel without
// atomic additions does: a sum is read, and written when the other thread may have read it too.
int RacingThreads(const touchstone_call* call) {
  LinearCall linear(*call);
  std::vector<std::atomic<float>> sums(linear.y.size());
  std::atomic<int> waiting{2};
  const auto add = [&](int64_t begin, int64_t end) {
    --waiting;
    while (waiting > 0) std::this_thread::yield();
    for (size_t i = 0; i < sums.size(); ++i) {
      const size_t t = i / static_cast<size_t>(linear.F), f = i % static_cast<size_t>(linear.F);
      float sum = sums[i].load(std::memory_order_relaxed);
      for (int64_t c = begin; c < end; ++c) {
        const size_t k = static_cast<size_t>(c), C = static_cast<size_t>(linear.C);
        sum = std::fma(linear.x[t * C + k], linear.weight[f * C + k], sum);
      }
      std::this_thread::yield();
      sums[i].store(sum, std::memory_order_relaxed);
    }
  };
  std::thread other(add, linear.C / 2, linear.C);
  add(0, linear.C / 2);
  other.join();
  std::copy(sums.begin(), sums.end(), linear.y.begin());
  linear.Store(*call);
  return 0;
}

}  // namespace
}  // namespace touchstone::strangers

#define STRANGERS_KERNEL(symbol, run)                                               \
  extern "C" __attribute__((visibility("default"))) const touchstone_kernel symbol; \
  const touchstone_kernel symbol =                                                  \
      touchstone::strangers::OnProcessor(#symbol, touchstone::strangers::run)

STRANGERS_KERNEL(truncated_operands, TruncatedOperands);
STRANGERS_KERNEL(transposed_tile, TransposedTile);
STRANGERS_KERNEL(dropped_channels, DroppedChannels);
STRANGERS_KERNEL(dropped_columns, DroppedColumns);
STRANGERS_KERNEL(half_sums, HalfSums);
STRANGERS_KERNEL(racing_threads, RacingThreads);
