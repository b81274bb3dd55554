// The features of this machine's processor, as /proc/cpuinfo spells them.
#pragma once

#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace touchstone::lab {

std::set<std::string> ProcessorFlags();

// The words of `needs`, separated by spaces, that `flags` lacks, in their order.
std::vector<std::string> MissingFlags(std::string_view needs, const std::set<std::string>& flags);

}  // namespace touchstone::lab
