// What a search says: a line while it runs, and at the end what it covered.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "fuzz/search/search.h"

namespace touchstone::fuzz {

// "rmsnorm: 12345 cases, 6789 a second; T 0..65, C 1..1025; 18 classes"
std::string ProgressText(const lab::OpSpec& op, const Coverage& coverage, double seconds);

// Lines: cases, what was met of sizes, attributes, classes and values, what was left out.
std::string CoverageText(const lab::OpSpec& op, const std::vector<Dtype>& recipes,
                         const Coverage& coverage, double seconds);

}  // namespace touchstone::fuzz
