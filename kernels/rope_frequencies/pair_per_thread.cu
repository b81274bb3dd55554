// RoPE frequencies, one thread a pair: the power in pairs of binary64, correctly rounded, then the
// scaling in binary32.
// architectures: 80 90 100
#include "kernels/parts/dense.h"
#include "kernels/simt/simt.cuh"
#include "reference/arithmetic/rope_power.h"
#include "reference/ops/rope_frequencies/rope_frequencies.h"

namespace touchstone::kernels::rope_frequencies {
namespace {

constexpr int kThreads = 64;
constexpr float kTwoPi = 0x1.921fb6p+2f;  // RN32(2 pi)

// RopePower, whose own check throws: here an undecided rounding ends the launch.
__device__ __forceinline__ float Power(float theta, float exponent) {
  simt::Require(exponent < 1.0f);
  using namespace binary64_pair;
  const Scaled power = ExpOfPair(Scale(static_cast<double>(exponent), LogOfBase(theta)));
  const auto [high, low] = power.significand;
  const double width = 0x1p-80 * high;
  const float below = static_cast<float>(binary64::SumToOdd(high, low - width));
  const float above = static_cast<float>(binary64::SumToOdd(high, low + width));
  simt::Require(below == above);
  return ldexpf(above, power.binary_exponent);  // exact
}

__device__ __forceinline__ float Lengthened(float f, const RopeScaling& s) {
  const float wavelength = kTwoPi / f;
  if (wavelength > s.original / s.low) return f / s.factor;
  if (wavelength < s.original / s.high) return f;
  const float band = s.high - s.low;
  if (band == 0.0f) return f;
  const float smooth = (s.original / wavelength - s.low) / band;
  const float slow = ((1.0f - smooth) * f) / s.factor;
  const float fast = smooth * f;
  return slow + fast;
}

__global__ void __launch_bounds__(kThreads)
    PairPerThread(float theta, RopeScaling scaling, int64_t J, float* f) {
  const int64_t j = int64_t{blockIdx.x} * kThreads + threadIdx.x;
  if (j >= J) return;
  const float exponent = static_cast<float>(2 * j) / static_cast<float>(2 * J);
  const float plain = 1.0f / Power(theta, exponent);
  f[j] = scaling.llama3 ? Lengthened(plain, scaling) : plain;
}

}  // namespace

void pair_per_thread(float theta, const RopeScaling& scaling, View<float, 'J'> f) {
  const int64_t J = Extent<'J'>(f);
  TOUCHSTONE_REQUIRE(J > 0);
  TOUCHSTONE_REQUIRE(1.0f < theta && theta <= 0x1p40f);
  TOUCHSTONE_REQUIRE(!scaling.llama3 || (scaling.factor > 0.0f && scaling.low > 0.0f &&
                                         scaling.high > 0.0f && scaling.original > 0.0f));
  simt::Launch({.grid = dim3(simt::BlocksFor(J, kThreads)), .block = dim3(kThreads)}, PairPerThread,
               theta, scaling, J, Dense(f));
}

}  // namespace touchstone::kernels::rope_frequencies
