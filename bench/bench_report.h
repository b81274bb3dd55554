// What the bench found, as a table and as JSON.
#pragma once

#include <string>
#include <vector>

#include "bench/machine.h"
#include "bench/measure.h"

namespace touchstone::bench {

// "1.23 ms", three figures.
std::string ShowSeconds(double seconds);

void PrintCase(const Measurement& measurement);
void PrintHead(const Machine& machine, const MeasureOptions& options);

// Schema of docs/chapters/bench.md. The file appears whole or not at all.
void WriteJson(const std::string& file, const Machine& machine, const MeasureOptions& options,
               const std::vector<Measurement>& measurements);
// The same as a table for the documentation: a row a contender, cells separated by tabs.
void WriteTable(const std::string& file, const std::vector<Measurement>& measurements);

}  // namespace touchstone::bench
