// touchstone_bench, which `touchstone bench` calls: times the ops of bench/cases.tsv against the
// machine's limits and against rivals.
#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <exception>
#include <new>
#include <string>
#include <thread>
#include <vector>

#include "bench/bench_report.h"
#include "golden/bad_file.h"
#include "golden/pending_file.h"
#include "lab/errors.h"
#include "lab/output_file.h"
#include "lab/progress_line.h"
#include "lab/repository.h"

namespace {

using namespace touchstone;

struct Options {
  bench::Choice choice;
  bench::MeasureOptions measure;
  std::string json, table, clock = "wall";
  bool list = false;
};

// Google Benchmark reads its own options from words of its own; ours go round it.
void StartGoogleBenchmark() {
  std::vector<std::string> words = {"touchstone_bench",
                                    "--benchmark_enable_random_interleaving=true"};
  std::vector<char*> pointers;
  for (std::string& word : words) pointers.push_back(word.data());
  int count = static_cast<int>(pointers.size());
  benchmark::Initialize(&count, pointers.data());
}

// A file that cannot be written is found before an hour of timing, not after it.
void RequireWritable(const std::string& flag, const std::string& path,
                     const std::vector<std::string>& inputs) {
  if (path.empty()) return;
  lab::RequireOutput(flag, path, inputs);
  const golden::PendingFile probe(path);
}

int Bench(Options options) {
  RequireWritable("--json", options.json, {});
  RequireWritable("--table", options.table, {options.json});
  options.measure.clock = options.clock == "cpu" ? bench::Clock::kCpu : bench::Clock::kWall;
  if (options.measure.clock == bench::Clock::kCpu && options.measure.threads > 1) {
    throw lab::UsageError("--clock cpu adds up the time of all threads; expected --threads 1");
  }
  const std::vector<bench::BenchCase> cases =
      bench::Chosen(bench::ReadCases(lab::RepositoryRoot() + "/bench/cases.tsv"), options.choice);
  if (options.list) {
    for (const bench::BenchCase& one : cases) fmt::print("{}\n", one.Name());
    return lab::kPassed;
  }
  StartGoogleBenchmark();
  const bench::Machine machine = bench::ThisMachine();
  bench::PrintHead(machine, options.measure);

  const lab::ProgressLine progress;
  std::vector<bench::Measurement> measurements;
  bool failed = false;
  for (const bench::BenchCase& one : cases) {
    measurements.push_back(bench::Measure(
        one, options.measure, [&progress](const std::string& line) { progress.Show(line); }));
    progress.Clear();
    bench::PrintCase(measurements.back());
    std::fflush(stdout);
    for (const bench::Timed& timed : measurements.back().contenders) {
      failed = failed || timed.judged.verdict == lab::Verdict::kFailed;
    }
  }
  if (!options.json.empty()) {
    bench::WriteJson(options.json, machine, options.measure, measurements);
  }
  if (!options.table.empty()) bench::WriteTable(options.table, measurements);
  return failed ? lab::kFailed : lab::kPassed;
}

int Main(int count, char** words) {
  Options options;
  CLI::App app{
      "Times the ops of bench/cases.tsv: reference, candidates and rivals in one run, their "
      "repetitions interleaved, each judged before it is timed."};
  app.name("touchstone bench");
  app.footer(
      "Exit codes: 0 done, 1 an output was judged FAILED, 2 usage, 3 not run, 4 a bad table.");
  app.add_option("op", options.choice.op, "one op (default: every one in the table)");
  CLI::Option* smallest =
      app.add_flag("--smallest", options.choice.smallest, "a small case of each op: a try");
  app.add_flag("--all", options.choice.all, "every case (default: the short list)")
      ->excludes(smallest);
  app.add_option("--filter", options.choice.filter, "cases whose name this expression finds");
  app.add_flag("--list", options.list, "print the names of the chosen cases, time nothing");
  app.add_option("--min-time", options.measure.min_time, "seconds of a repetition (default: 0.1)")
      ->check(CLI::Range(0.0001, 3600.0));
  app.add_option("--repetitions", options.measure.repetitions, "of each (default: 9)")
      ->check(CLI::Range(1, 1000));
  app.add_option("--threads", options.measure.threads, "of each (default: 1)")
      ->check(CLI::Range(1, 1024));
  app.add_option("--clock", options.clock,
                 "wall, or cpu: the process's time, for a machine that others use (default: wall)")
      ->check(CLI::IsMember({"wall", "cpu"}));
  app.add_option("--json", options.json, "write the results as JSON to this file");
  app.add_option("--table", options.table, "write the results as a table with tabs to this file");
  try {
    app.parse(count, words);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? lab::kPassed : lab::kUsage;
  }
  return Bench(options);
}

int End(int code, const char* what) {
  std::fprintf(stderr, "touchstone: %s\n", what);
  return code;
}

}  // namespace

int main(int count, char** words) {
  try {
    golden::RemoveUnfinishedFilesOnSignals();
    const int code = Main(count, words);
    if (std::fflush(stdout) == 0 && std::ferror(stdout) == 0) return code;
    return End(lab::kNotRun, "standard output could not be written to its end");
  } catch (const lab::UsageError& error) {
    return End(lab::kUsage, error.what());
  } catch (const golden::BadFile& error) {
    return End(lab::kBadData, error.what());
  } catch (const std::bad_alloc&) {
    return End(lab::kNotRun, "there is not enough memory for this");
  } catch (const std::exception& error) {
    return End(lab::kNotRun, error.what());
  }
}
