// The one exception of everything here that reads files, and how its text quotes what was read.
#pragma once

#include <stdexcept>
#include <string>
#include <string_view>

namespace touchstone::golden {

// A file is not what it must be. The text says which file, where in it, what was found and what was
// expected.
class BadFile : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// Text from a file as an error message may show it: in quotes, at most 80 bytes of it, and every
// byte that is not printable ASCII as \xNN, so that no file can write to a terminal.
std::string Quoted(std::string_view text);

// Whether a name from a file is fit to be shown and to stand in a manifest: printable ASCII without
// spaces, not empty.
bool IsPlainName(std::string_view name);

}  // namespace touchstone::golden
