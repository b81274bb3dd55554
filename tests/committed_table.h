// Committed tables of results: a program makes them anew, and writes them or holds them to what is
// committed.
#pragma once

#include <cstdio>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <string>

namespace touchstone {

// Empty where there is no file.
inline std::string TextOfFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

// With --write writes the table, else compares it: 1, and the new table on the terminal, where
// another one is committed.
inline int WriteOrCompare(const std::string& mode, const std::string& path,
                          const std::string& text) {
  if (mode == "--write") {
    std::ofstream file(path, std::ios::binary);
    file << text << std::flush;
    if (!file) throw std::runtime_error("cannot write " + path);
    return 0;
  }
  if (TextOfFile(path) == text) return 0;
  std::printf("FAILED %s: another table was measured:\n%s", path.c_str(), text.c_str());
  return 1;
}

}  // namespace touchstone
