// Lists of whole numbers on the command line: "0,3,5-7".
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace touchstone::lab {

// Numbers from 0 to `most`, separated by commas or white space, or ranges first-last. Throws
// UsageError, naming `flag`, for anything else and for an empty list. At most 2^24 numbers.
std::vector<int64_t> NumberList(const std::string& flag, const std::string& text, int64_t most);

}  // namespace touchstone::lab
