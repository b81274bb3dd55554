// The one exception of the readers here, and how its text quotes what was read.
#pragma once

#include <stdexcept>
#include <string>
#include <string_view>

namespace touchstone::checkpoint {

// A checkpoint is not what it must be. The text says which file, what was found in it and what was
// expected.
class BadCheckpoint : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// Text from a file as a message may show it: in quotes, at most 120 bytes of it, and every byte
// that is not printable ASCII as \xNN, so that no file can write to a terminal.
std::string Quoted(std::string_view text);

}  // namespace touchstone::checkpoint
