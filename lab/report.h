// Reports of `verify`: the table on the terminal, and the files that --json and --junit ask for.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "lab/verify.h"

namespace touchstone::lab {

// The column heads, one line a report with what failed below it, the closing lines.
std::string TableHead();
std::string TableLine(const OpReport& report);
std::string TableFoot(const std::vector<OpReport>& reports, double seconds);

// docs/chapters/reports.md describes both.
std::string Json(const std::vector<OpReport>& reports);
std::string JUnit(const std::vector<OpReport>& reports);

// Writes a text file by renaming a finished one into place. Throws std::runtime_error.
void WriteTextFile(const std::string& path, const std::string& text);

// "2^-23.01", the way errors are printed.
std::string PowerOfTwo(double x);
// Of two counts; 0 of 0 is 0.
double Share(int64_t part, int64_t all);
// "93.1 %", never rounded up to 100.
std::string Percent(double share);

}  // namespace touchstone::lab
