#include "bench/bench_report.h"

#include <benchmark/benchmark.h>
#include <fmt/format.h>
#include <hwy/targets.h>

#include <nlohmann/json.hpp>

#include "bench/contender.h"
#include "lab/report.h"
#include "lab/repository.h"
#include "reference/formats/contract_version.h"

namespace touchstone::bench {
namespace {

constexpr int kFormat = 1;  // of the JSON

std::string HighwayTarget() {
  const int64_t here = hwy::SupportedTargets();
  return hwy::TargetName(here & -here);  // a lower bit is a better target
}

std::vector<std::string> Versions() {
  std::vector<std::string> versions = {lab::BuildDescription(), "Highway on " + HighwayTarget()};
  for (const std::string& rival : RivalVersions()) versions.push_back(rival);
  return versions;
}

std::string ClockName(Clock clock) { return clock == Clock::kCpu ? "cpu" : "wall"; }

nlohmann::json JsonOf(const Timed& timed) {
  nlohmann::json row = {{"name", timed.name},
                        {"ours", timed.ours},
                        {"verdict", lab::Word(timed.judged.verdict)},
                        {"compared", timed.judged.compared},
                        {"reason", timed.judged.reason}};
  if (timed.seconds.median > 0.0) {
    row["median_seconds"] = timed.seconds.median;
    row["quartiles_seconds"] = {timed.seconds.lower_quartile, timed.seconds.upper_quartile};
    row["share_of_limit"] = timed.of_limit;
  }
  return row;
}

nlohmann::json JsonOf(const Measurement& measurement) {
  nlohmann::json contenders = nlohmann::json::array();
  for (const Timed& timed : measurement.contenders) contenders.push_back(JsonOf(timed));
  const BenchCase& bench_case = measurement.bench_case;
  return {{"name", bench_case.Name()},
          {"where", bench_case.where},
          {"op", bench_case.c.op->name},
          {"case", bench_case.c.Name()},
          {"caches", bench_case.caches == Caches::kCold ? "cold" : "warm"},
          {"copies", measurement.copies},
          {"flops", bench_case.Flops()},
          {"bytes", bench_case.Bytes()},
          {"peak_flops_per_second", measurement.peak_flops},
          {"bandwidth_bytes_per_second", measurement.bandwidth},
          {"limit_seconds", measurement.limit_seconds},
          {"bound_by", measurement.bound_by_memory ? "memory" : "fma"},
          {"contenders", contenders}};
}

}  // namespace

std::string ShowSeconds(double seconds) {
  if (seconds >= 1.0) return fmt::format("{:.3g} s", seconds);
  if (seconds >= 1e-3) return fmt::format("{:.3g} ms", seconds * 1e3);
  return fmt::format("{:.3g} us", seconds * 1e6);
}

void PrintHead(const Machine& machine, const MeasureOptions& options) {
  fmt::print("{}, {} cores, {}; governor {}; load {:.1f}; {}\n", machine.processor, machine.cores,
             machine.caches, machine.governor, machine.load, machine.date);
  for (const std::string& version : Versions()) fmt::print("{}; ", version);
  fmt::print("{} thread{}, {} clock, {} repetitions of {} s or one call\n", options.threads,
             options.threads == 1 ? "" : "s", ClockName(options.clock), options.repetitions,
             options.min_time);
}

void PrintCase(const Measurement& measurement) {
  const BenchCase& bench_case = measurement.bench_case;
  fmt::print("\n{} ({}), limit {} by {}: {:.1f} Gflop/s of fma, {:.1f} GB/s\n", bench_case.Name(),
             bench_case.where, ShowSeconds(measurement.limit_seconds),
             measurement.bound_by_memory ? "memory" : "fma", measurement.peak_flops * 1e-9,
             measurement.bandwidth * 1e-9);
  fmt::print("  {:<26} {:<13} {:>10} {:>21} {:>9} {:>8} {:>8}\n", "", "verdict", "median",
             "quartiles", "Gflop/s", "GB/s", "of limit");
  for (const Timed& timed : measurement.contenders) {
    fmt::print("  {:<26} {:<13}", timed.name, lab::Word(timed.judged.verdict));
    if (timed.seconds.median <= 0.0) {
      fmt::print(" {}\n", timed.judged.reason);
      continue;
    }
    const double median = timed.seconds.median;
    fmt::print(" {:>10} {:>21} {:>9.1f} {:>8.1f} {:>6.0f} %\n", ShowSeconds(median),
               ShowSeconds(timed.seconds.lower_quartile) + " - " +
                   ShowSeconds(timed.seconds.upper_quartile),
               bench_case.Flops() / median * 1e-9, bench_case.Bytes() / median * 1e-9,
               100.0 * timed.of_limit);
  }
}

void WriteJson(const std::string& file, const Machine& machine, const MeasureOptions& options,
               const std::vector<Measurement>& measurements) {
  nlohmann::json cases = nlohmann::json::array();
  for (const Measurement& measurement : measurements) cases.push_back(JsonOf(measurement));
  const nlohmann::json report = {{"format", kFormat},
                                 {"contract", kContractVersion},
                                 {"date", machine.date},
                                 {"machine",
                                  {{"processor", machine.processor},
                                   {"cores", machine.cores},
                                   {"caches", machine.caches},
                                   {"governor", machine.governor},
                                   {"load", machine.load}}},
                                 {"versions", Versions()},
                                 {"threads", options.threads},
                                 {"clock", ClockName(options.clock)},
                                 {"repetitions", options.repetitions},
                                 {"min_time_seconds", options.min_time},
                                 {"cases", cases}};
  lab::WriteTextFile(file, report.dump(2) + "\n");
}

void WriteTable(const std::string& file, const std::vector<Measurement>& measurements) {
  std::string text =
      "case\tcaches\tcontender\tverdict\tmedian\tquartiles\tGflop/s\tGB/s\tof limit %\tlimit\n";
  for (const Measurement& measurement : measurements) {
    const BenchCase& bench_case = measurement.bench_case;
    const std::string limit = measurement.bound_by_memory
                                  ? fmt::format("{:.1f} GB/s", measurement.bandwidth * 1e-9)
                                  : fmt::format("{:.1f} Gflop/s", measurement.peak_flops * 1e-9);
    for (const Timed& timed : measurement.contenders) {
      text += fmt::format("{} {}\t{}\t{}\t{}\t", bench_case.c.op->name, bench_case.c.Name(),
                          bench_case.caches == Caches::kCold ? "cold" : "warm", timed.name,
                          lab::Word(timed.judged.verdict));
      const double median = timed.seconds.median;
      if (median <= 0.0) {
        text += "-\t-\t-\t-\t-\t" + limit + "\n";
        continue;
      }
      text += fmt::format(
          "{}\t{} - {}\t{}\t{:.1f}\t{:.0f}\t{}\n", ShowSeconds(median),
          ShowSeconds(timed.seconds.lower_quartile), ShowSeconds(timed.seconds.upper_quartile),
          bench_case.Flops() > 0.0 ? fmt::format("{:.1f}", bench_case.Flops() / median * 1e-9)
                                   : "-",
          bench_case.Bytes() / median * 1e-9, 100.0 * timed.of_limit, limit);
    }
  }
  lab::WriteTextFile(file, text);
}

}  // namespace touchstone::bench
