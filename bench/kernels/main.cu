// kernel_bench TABLE SECONDS: times every kernel under kernels/ on a GPU at the sizes of TABLE
// (bench/kernel_sizes.tsv), those of an op in turns, cuBLAS among them where it computes the op,
// and prints a JSON object a line: the device, its limits, then each kernel of each case. What is
// judged FAILED is not timed. No case is begun after SECONDS.
//
// Exit codes: 0 done, 1 an output was judged FAILED, 2 usage, 3 NOT RUN: no device.
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "bench/kernels/contenders.cuh"
#include "bench/kernels/device_call.h"
#include "bench/kernels/limits.h"
#include "bench/kernels/problem.h"
#include "bench/kernels/references.cuh"
#include "kernels/cublas/product.h"

namespace touchstone::bench {
namespace {

std::string Quoted(const std::string& text) {
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') quoted += '\\';
    quoted += c < ' ' ? ' ' : c;
  }
  return quoted + '"';
}

bool PrintDevice() {
  int devices = 0;
  const cudaError_t result = cudaGetDeviceCount(&devices);
  if (result != cudaSuccess || devices == 0) {
    std::fprintf(stderr, "NOT RUN: %s\n",
                 result == cudaSuccess ? "no CUDA device" : cudaGetErrorString(result));
    return false;
  }
  cudaDeviceProp properties{};
  simt::Check(cudaGetDeviceProperties(&properties, 0), "cudaGetDeviceProperties");
  const char* why = kernels::cublas::WhyNot();
  std::printf("{\"gpu\": %s, \"multiprocessors\": %d, \"cache_bytes\": %d, \"cublas\": %s}\n",
              Quoted(properties.name).c_str(), properties.multiProcessorCount,
              properties.l2CacheSize,
              Quoted(why != nullptr ? why : kernels::cublas::Version()).c_str());
  // Memory that kernels take for themselves stays with the process.
  cudaMemPool_t pool{};
  uint64_t everything = UINT64_MAX;
  simt::Check(cudaDeviceGetDefaultMemPool(&pool, 0), "cudaDeviceGetDefaultMemPool");
  simt::Check(cudaMemPoolSetAttribute(pool, cudaMemPoolAttrReleaseThreshold, &everything),
              "cudaMemPoolSetAttribute");
  return true;
}

void PrintRow(const Problem& problem, const Contender& one, const Judged& judged,
              const Counts& counts, const Limits& limits, const std::vector<double>& seconds) {
  const double memory = counts.bytes / limits.copy_bytes, fma = counts.flops / limits.fma_flops;
  const Spread spread = seconds.empty() ? Spread{} : SpreadOf(seconds);
  std::printf(
      "{\"where\": %s, \"op\": %s, \"case\": %s, \"kernel\": %s, \"verdict\": %s, \"what\": %s, "
      "\"compared\": %lld, \"flops\": %.0f, \"bytes\": %.0f, \"floor_seconds\": %.4g, "
      "\"bound_by\": \"%s\", \"runs\": %zu, \"median_seconds\": %.5g, "
      "\"quartiles_seconds\": [%.5g, %.5g]}\n",
      Quoted(problem.where).c_str(), Quoted(problem.op).c_str(), Quoted(problem.case_name).c_str(),
      Quoted(one.algorithm).c_str(), Quoted(judged.verdict).c_str(), Quoted(judged.what).c_str(),
      static_cast<long long>(judged.compared), counts.flops, counts.bytes, std::max(memory, fma),
      fma > memory ? "fma" : "memory", seconds.size(), spread.median, spread.lower, spread.upper);
  std::fflush(stdout);
}

// Returns whether nothing was FAILED.
bool Bench(const Problem& problem, const std::vector<Contender>& kernels, const Limits& limits) {
  struct Timed {
    const Contender* one;
    Judged judged;
    std::vector<double> seconds;
  };
  std::vector<Timed> all;
  std::unique_ptr<DeviceCall> call;
  const Forgotten reference = problem.recipe == Dtype::kF32 ? ReferenceOf<float>(problem.op)
                                                            : ReferenceOf<Bf16>(problem.op);
  for (const Contender& one : kernels) {
    if (one.op != problem.op || one.recipe != problem.recipe) continue;
    Timed& timed = all.emplace_back(Timed{&one, {}, {}});
    if (one.is_bounded && kernels::cublas::WhyNot() != nullptr) {
      timed.judged = {"NOT RUN", kernels::cublas::WhyNot(), 0};
      continue;
    }
    if (call == nullptr) call = one.make(problem);
    try {
      timed.judged = call->Judge(one.kernel, reference, one.is_bounded);
    } catch (const std::exception& error) {
      timed.judged = {"FAILED", error.what(), 0};
    }
  }
  if (all.empty()) throw std::runtime_error("no kernel computes " + problem.op);
  if (call == nullptr) return true;
  call->Fill();
  // In turns, until a second and a half or 30 rounds are over, five rounds at least.
  double spent = 0.0;
  for (int round = 0; round < 5 || (round < 30 && spent < 1.5); ++round) {
    for (Timed& timed : all) {
      if (timed.judged.verdict == "FAILED" || timed.judged.verdict == "NOT RUN") continue;
      const double seconds = TimedCall([&] { call->Run(timed.one->kernel); });
      spent += seconds;
      if (round > 0) timed.seconds.push_back(seconds);  // the first is for warming up
    }
  }
  bool passed = true;
  for (const Timed& timed : all) {
    PrintRow(problem, *timed.one, timed.judged, CountsOf(problem, call->Bytes()), limits,
             timed.seconds);
    passed = passed && timed.judged.verdict != "FAILED";
  }
  return passed;
}

int Main(const std::string& table, double most_seconds) {
  const auto begin = std::chrono::steady_clock::now();
  const std::vector<Problem> problems = ReadProblems(table);
  if (!PrintDevice()) return 3;
  const Limits limits = MeasuredLimits();
  std::printf(
      "{\"copy_bytes_per_second\": %.5g, \"fma_flops_per_second\": %.5g, "
      "\"cublas_bf16_flops_per_second\": %.5g, \"empty_launch_seconds\": %.3g}\n",
      limits.copy_bytes, limits.fma_flops, limits.cublas_flops, limits.empty_seconds);
  const std::vector<Contender> kernels = AllKernels();
  bool passed = true;
  for (const Problem& problem : problems) {
    const std::chrono::duration<double> passed_time = std::chrono::steady_clock::now() - begin;
    if (passed_time.count() > most_seconds) {
      std::printf("{\"left_out\": %s}\n", Quoted(problem.op + " " + problem.case_name).c_str());
      continue;
    }
    passed = Bench(problem, kernels, limits) && passed;
  }
  return passed ? 0 : 1;
}

}  // namespace
}  // namespace touchstone::bench

int main(int count, char** words) {
  if (count != 3) {
    std::fprintf(stderr, "usage: kernel_bench TABLE SECONDS\n");
    return 2;
  }
  try {
    return touchstone::bench::Main(words[1], std::atof(words[2]));
  } catch (const std::exception& error) {
    std::fprintf(stderr, "kernel_bench: %s\n", error.what());
    return 1;
  }
}
