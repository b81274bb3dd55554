// One line of standard error that is written over, on a terminal only.
#pragma once

#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>
#include <string>

namespace touchstone::lab {

class ProgressLine {
 public:
  void Show(const std::string& text) const {
    if (terminal_) fmt::print(stderr, "\r\033[K{}", text);
  }
  void Clear() const { Show(""); }

 private:
  bool terminal_ = isatty(STDERR_FILENO) != 0;
};

}  // namespace touchstone::lab
