// What is timed: the rows of bench/cases.tsv.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "lab/spec.h"

namespace touchstone::bench {

// Whether every call works on memory that the calls before it have pushed out of the caches.
enum class Caches { kCold, kWarm };

struct BenchCase {
  std::string set;    // "smallest", "short", "all"
  std::string where;  // in the model: "shared_down"
  Caches caches = Caches::kWarm;
  lab::Case c;

  std::string Name() const;  // "linear/f32/normal/C5120_F5120_T1/cold"
  double Flops() const;      // 0: an op that is bound by memory alone
  double Bytes() const;      // of all tensors, each once: what must be read or written
};

// Throws golden::BadFile for a table that cannot be read, with the line.
std::vector<BenchCase> ReadCases(const std::string& file);

struct Choice {
  bool smallest = false, all = false;
  std::string op;      // empty: every op
  std::string filter;  // a regular expression that is found in the name; empty: all
};

// Throws UsageError where nothing is chosen, or the filter is no regular expression.
std::vector<BenchCase> Chosen(const std::vector<BenchCase>& cases, const Choice& choice);

}  // namespace touchstone::bench
