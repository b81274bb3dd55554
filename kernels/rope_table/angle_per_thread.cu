// RoPE table, one thread an angle: its cosine and sine, correctly rounded, in binary64.
// architectures: 80 90 100
#include "kernels/parts/dense.h"
#include "kernels/simt/simt.cuh"
#include "reference/arithmetic/functions.h"
#include "reference/ops/rope_table/rope_table.h"

namespace touchstone::kernels::rope_table {
namespace {

constexpr int kThreads = 128;

__global__ void __launch_bounds__(kThreads)
    AnglePerThread(const float* f, const int64_t* positions, int64_t T, int64_t J, float2* table) {
  const int64_t i = int64_t{blockIdx.x} * kThreads + threadIdx.x;
  if (i >= T * J) return;
  const int64_t position = positions[i / J];
  simt::Require(0 <= position && position < int64_t{1} << 24);
  const float angle = static_cast<float>(position) * f[i % J];
  simt::Require(fabsf(angle) < 0x1p24f);
  table[i] = make_float2(Cos(angle), Sin(angle));
}

}  // namespace

void angle_per_thread(View<const float, 'J'> f, View<const int64_t, 'T'> positions,
                      View<float, 'T', 'J', '2'> table) {
  const int64_t T = Extent<'T'>(positions, table), J = Extent<'J'>(f, table);
  TOUCHSTONE_REQUIRE(Extent<'2'>(table) == 2);
  if (T * J == 0) return;
  simt::Launch({.grid = dim3(simt::BlocksFor(T * J, kThreads)), .block = dim3(kThreads)},
               AnglePerThread, Dense(f), Dense(positions), T, J,
               reinterpret_cast<float2*>(Dense(table)));
}

}  // namespace touchstone::kernels::rope_table
