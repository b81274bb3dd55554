#include "bench/measure.h"

#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <memory>

#include "bench/limits.h"
#include "reference/formats/require.h"

namespace touchstone::bench {
namespace {

constexpr const char* kFmaLoop = "loop of fma";
constexpr const char* kMemoryLoop = "loop over the memory";
constexpr int64_t kFmaSteps = 100000;

// Seconds of a call of every repetition, by name.
class Collector : public benchmark::BenchmarkReporter {
 public:
  explicit Collector(Clock clock) : clock_(clock) {}
  bool ReportContext(const Context&) override { return true; }
  void ReportRuns(const std::vector<Run>& runs) override {
    for (const Run& run : runs) {
      if (run.run_type != Run::RT_Iteration || run.iterations == 0) continue;
      const double seconds =
          clock_ == Clock::kCpu ? run.cpu_accumulated_time : run.real_accumulated_time;
      seconds_[run.run_name.function_name].push_back(seconds / static_cast<double>(run.iterations));
    }
  }
  Spread Of(const std::string& name) const { return SpreadOf(seconds_.at(name)); }

 private:
  Clock clock_;
  std::map<std::string, std::vector<double>> seconds_;
};

void Register(const std::string& name, size_t copies, const MeasureOptions& options,
              const std::function<void(size_t)>& call) {
  // The copies go round from one repetition to the next too.
  const auto next = std::make_shared<size_t>(0);
  benchmark::RegisterBenchmark(name.c_str(),
                               [=](benchmark::State& state) {
                                 for (auto _ : state) {
                                   call(*next);
                                   *next = (*next + 1) % copies;
                                 }
                               })
      ->Repetitions(options.repetitions)
      ->MinTime(options.min_time)
      ->MeasureProcessCPUTime()
      ->UseRealTime();
}

// The bytes that one call of the loop over the memory moves, on the case's own tensors: a linear's
// weights are read, an RMSNorm's x is copied to y.
struct MemoryLoop {
  double bytes = 0.0;
  std::function<void(size_t)> call;
};

MemoryLoop MemoryLoopOf(const BenchCase& bench_case, Copies* copies, int threads) {
  if (bench_case.c.op->name == "linear") {
    const auto bytes = static_cast<int64_t>(copies->at(0).at("weight").data.size());
    return {static_cast<double>(bytes), [=](size_t copy) {
              benchmark::DoNotOptimize(
                  ReadLoop(copies->at(copy).at("weight").data.data(), bytes, threads));
            }};
  }
  const auto bytes = static_cast<int64_t>(copies->at(0).at("x").data.size());
  const bool past_caches = bench_case.caches == Caches::kCold;
  return {2.0 * static_cast<double>(bytes), [=](size_t copy) {
            CopyLoop(copies->at(copy).at("x").data.data(), copies->at(copy).at("y").data.data(),
                     bytes, past_caches);
          }};
}

}  // namespace

Spread SpreadOf(std::vector<double> values) {
  TOUCHSTONE_REQUIRE(!values.empty());
  std::sort(values.begin(), values.end());
  // Between neighbours by their distance.
  const auto quantile = [&values](double share) {
    const double at = share * static_cast<double>(values.size() - 1);
    const auto below = static_cast<size_t>(at);
    const size_t above = std::min(below + 1, values.size() - 1);
    return values[below] + (at - static_cast<double>(below)) * (values[above] - values[below]);
  };
  return {quantile(0.5), quantile(0.25), quantile(0.75)};
}

Measurement Measure(const BenchCase& bench_case, const MeasureOptions& options,
                    const std::function<void(const std::string&)>& progress) {
  Measurement measurement{.bench_case = bench_case};
  Copies copies(bench_case);
  measurement.copies = copies.count();
  std::vector<Contender> contenders = OurContenders(&copies, options.threads);
  for (Contender& rival : Rivals(&copies, options.threads)) contenders.push_back(std::move(rival));

  benchmark::ClearRegisteredBenchmarks();
  Judge judge(copies);
  for (const Contender& contender : contenders) {
    progress(fmt::format("{}: judging {}", bench_case.Name(), contender.name));
    measurement.contenders.push_back({contender.name, contender.ours, judge.Of(contender)});
    const lab::Verdict verdict = measurement.contenders.back().judged.verdict;
    if (verdict == lab::Verdict::kBitExact || verdict == lab::Verdict::kWithinBound) {
      Register(contender.name, copies.count(), options, contender.call);
    }
  }
  const MemoryLoop memory = MemoryLoopOf(bench_case, &copies, options.threads);
  Register(kMemoryLoop, copies.count(), options, memory.call);
  Register(kFmaLoop, 1, options,
           [&options](size_t) { benchmark::DoNotOptimize(FmaLoop(kFmaSteps, options.threads)); });

  progress(fmt::format("{}: timing", bench_case.Name()));
  Collector collector(options.clock);
  benchmark::RunSpecifiedBenchmarks(&collector, ".*");

  measurement.peak_flops = FmaFlops(kFmaSteps) * options.threads / collector.Of(kFmaLoop).median;
  measurement.bandwidth = memory.bytes / collector.Of(kMemoryLoop).median;
  const double by_fma = bench_case.Flops() / measurement.peak_flops;
  const double by_memory = bench_case.Bytes() / measurement.bandwidth;
  measurement.limit_seconds = std::max(by_fma, by_memory);
  measurement.bound_by_memory = by_memory >= by_fma;
  for (Timed& timed : measurement.contenders) {
    if (timed.judged.verdict == lab::Verdict::kNotRun ||
        timed.judged.verdict == lab::Verdict::kFailed) {
      continue;
    }
    timed.seconds = collector.Of(timed.name);
    timed.of_limit = measurement.limit_seconds / timed.seconds.median;
  }
  return measurement;
}

}  // namespace touchstone::bench
