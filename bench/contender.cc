#include "bench/contender.h"

#include <algorithm>

#include "bench/machine.h"
#include "lab/chain.h"
#include "lab/input_class.h"

namespace touchstone::bench {
namespace {

// Calls in turn work on this much memory: four times the last cache.
constexpr int64_t kCachesFull = 4;
constexpr int64_t kMostCopies = 4096;

}  // namespace

Copies::Copies(const BenchCase& bench_case) : c_(&bench_case.c) {
  int64_t count = 1;
  if (bench_case.caches == Caches::kCold) {
    const double wanted = static_cast<double>(kCachesFull * LastCacheBytes());
    count =
        std::clamp(static_cast<int64_t>(wanted / bench_case.Bytes()) + 1, int64_t{2}, kMostCopies);
  }
  copies_.assign(static_cast<size_t>(count), lab::MakeTensors(bench_case.c));
}

std::vector<Contender> OurContenders(Copies* copies, int threads) {
  std::vector<Contender> ours;
  for (const lab::Implementation& implementation : copies->c().op->implementations) {
    // How long the execution model takes for a GPU's kernel says nothing about the kernel.
    if (implementation.name.starts_with("kernels/")) continue;
    ours.push_back({.name = implementation.name,
                    .ours = true,
                    .call =
                        [copies, &implementation, threads](size_t copy) {
                          lab::Run(copies->c(), implementation, &copies->at(copy), threads);
                        },
                    .y = &copies->at(0).at("y")});
  }
  return ours;
}

}  // namespace touchstone::bench
