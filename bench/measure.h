// One case timed: all that take part, and two loops of our own that are the machine's limits, in
// one run of Google Benchmark, their repetitions interleaved at random, so that whatever else the
// machine does meets all of them alike.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "bench/bench_case.h"
#include "bench/judgement.h"

namespace touchstone::bench {

enum class Clock {
  kWall,
  kCpu,  // of the process: for one thread on a machine that others use too
};

struct MeasureOptions {
  double min_time = 0.1;  // seconds of a repetition, at least one call
  int repetitions = 9;
  int threads = 1;
  Clock clock = Clock::kWall;
};

// Seconds of a call, over the repetitions.
struct Spread {
  double median = 0.0, lower_quartile = 0.0, upper_quartile = 0.0;
};

struct Timed {
  std::string name;
  bool ours = false;
  Judged judged = {};
  Spread seconds = {};    // of what was timed; zero where it was not
  double of_limit = 0.0;  // the limit's time over this one's: 1.0 is the machine's limit
};

struct Measurement {
  BenchCase bench_case;
  size_t copies = 1;             // of the tensors
  double peak_flops = 0.0;       // a second, of the loop of fma
  double bandwidth = 0.0;        // bytes a second, of the loop over the same memory
  double limit_seconds = 0.0;    // the larger of flops / peak and bytes / bandwidth
  bool bound_by_memory = false;  // which of the two that is
  std::vector<Timed> contenders = {};
};

// `progress` gets a line about what is done now.
Measurement Measure(const BenchCase& bench_case, const MeasureOptions& options,
                    const std::function<void(const std::string&)>& progress);

// Of values in any order; they must not be empty.
Spread SpreadOf(std::vector<double> values);

}  // namespace touchstone::bench
