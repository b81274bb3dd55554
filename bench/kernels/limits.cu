#include "bench/kernels/limits.h"

#include <algorithm>
#include <cstdint>

#include "bench/kernels/device_call.h"
#include "kernels/cublas/product.h"
#include "kernels/simt/simt.cuh"

namespace touchstone::bench {
namespace {

constexpr int64_t kFlushBytes = int64_t{512} << 20;

__global__ void Nothing() {}

__global__ void CopyChunks(const uint4* from, int64_t count, uint4* to) {
  const int64_t step = int64_t{gridDim.x} * blockDim.x;
  for (int64_t i = int64_t{blockIdx.x} * blockDim.x + threadIdx.x; i < count; i += step) {
    to[i] = from[i];
  }
}

constexpr int kChains = 16, kSteps = 4096;

__global__ void __launch_bounds__(256) FmaChains(float x, float* out) {
  float sum[kChains];
#pragma unroll
  for (int c = 0; c < kChains; ++c) sum[c] = static_cast<float>(threadIdx.x + c);
  for (int i = 0; i < kSteps; ++i) {
#pragma unroll
    for (int c = 0; c < kChains; ++c) sum[c] = fmaf(sum[c], x, x);
  }
  float all = 0.0f;
#pragma unroll
  for (int c = 0; c < kChains; ++c) all += sum[c];
  if (all == 12345.0f) *out = all;
}

unsigned Multiprocessors() {
  int count = 0;
  simt::Check(cudaDeviceGetAttribute(&count, cudaDevAttrMultiProcessorCount, 0),
              "cudaDeviceGetAttribute");
  return static_cast<unsigned>(count);
}

double MedianOf(int runs, const std::function<void()>& call) {
  std::vector<double> seconds;
  call();
  for (int i = 0; i < runs; ++i) seconds.push_back(TimedCall(call));
  return SpreadOf(seconds).median;
}

}  // namespace

void FlushCache() {
  static simt::DeviceBuffer<char> buffer(kFlushBytes);
  static int value = 0;
  simt::Check(cudaMemsetAsync(buffer.data(), ++value & 0x7f, kFlushBytes, simt::CurrentStream()),
              "cudaMemsetAsync");
}

double TimedCall(const std::function<void()>& call) {
  static simt::Timer timer;
  FlushCache();
  timer.Start();
  call();
  return timer.Stop();
}

Spread SpreadOf(std::vector<double> seconds) {
  std::sort(seconds.begin(), seconds.end());
  const auto at = [&](double part) {
    return seconds[static_cast<size_t>(part * static_cast<double>(seconds.size() - 1) + 0.5)];
  };
  return {at(0.5), at(0.25), at(0.75)};
}

Limits MeasuredLimits() {
  Limits limits;
  {
    constexpr int64_t kBytes = int64_t{1} << 30, kCount = kBytes / sizeof(uint4);
    const simt::DeviceBuffer<uint4> from(kCount), to(kCount);
    simt::Launch({.grid = dim3(4096), .block = dim3(256)}, DrawTensor<float>,
                 reinterpret_cast<float*>(from.data()), kBytes / 4, 3u);
    const double loop = MedianOf(9, [&] {
      simt::Launch({.grid = dim3(Multiprocessors() * 16), .block = dim3(512)}, CopyChunks,
                   static_cast<const uint4*>(from.data()), kCount, to.data());
    });
    const double driver = MedianOf(9, [&] {
      simt::Check(cudaMemcpyAsync(to.data(), from.data(), kBytes, cudaMemcpyDeviceToDevice,
                                  simt::CurrentStream()),
                  "cudaMemcpyAsync");
    });
    limits.copy_bytes = 2.0 * static_cast<double>(kBytes) / std::min(loop, driver);
  }
  {
    // Eight blocks of 256 threads fill a multiprocessor; four times as many of them.
    const unsigned blocks = Multiprocessors() * 8 * 4;
    const simt::DeviceBuffer<float> out(1);
    const double seconds = MedianOf(9, [&] {
      simt::Launch({.grid = dim3(blocks), .block = dim3(256)}, FmaChains, 0.999f, out.data());
    });
    limits.fma_flops = 2.0 * blocks * 256 * kChains * kSteps / seconds;
  }
  if (kernels::cublas::WhyNot() == nullptr) {
    constexpr int64_t n = 8192;
    const simt::DeviceBuffer<Bf16> x(n * n), weight(n * n), y(n * n);
    for (const auto* one : {&x, &weight}) {
      simt::Launch({.grid = dim3(4096), .block = dim3(256)}, DrawTensor<Bf16>, one->data(), n * n,
                   one == &x ? 1u : 2u);
    }
    const double seconds =
        MedianOf(9, [&] { kernels::cublas::Product(x.data(), weight.data(), n, n, n, y.data()); });
    limits.cublas_flops = 2.0 * n * n * n / seconds;
  }
  limits.empty_seconds =
      MedianOf(49, [] { simt::Launch({.grid = dim3(1), .block = dim3(32)}, Nothing); });
  return limits;
}

}  // namespace touchstone::bench
