// A committed table as it is, to be compared with one that was made anew.
#pragma once

#include <fstream>
#include <sstream>
#include <string>

namespace touchstone {

// Empty where there is no file.
inline std::string TextOfFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

}  // namespace touchstone
