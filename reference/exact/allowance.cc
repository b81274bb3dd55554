#include "reference/exact/allowance.h"

#include <sstream>
#include <stdexcept>
#include <vector>

namespace touchstone::exact {
namespace {

struct Word {
  std::string name;
  bool Allowance::*flag;
};

const std::vector<Word>& Words() {
  static const std::vector<Word> words = {{"tf32", &Allowance::tf32},
                                          {"tf32_truncated", &Allowance::tf32_truncated},
                                          {"ftz", &Allowance::ftz}};
  return words;
}

Allowance& Current() {
  thread_local Allowance allowance;
  return allowance;
}

}  // namespace

Allowance AllowanceFromText(const std::string& text) {
  Allowance allowance;
  if (text.empty()) return allowance;
  std::istringstream parts(text + ",");
  for (std::string part; std::getline(parts, part, ',');) {
    bool known = false;
    for (const Word& word : Words()) {
      if (part != word.name) continue;
      allowance.*word.flag = true;
      known = true;
    }
    if (!known) {
      throw std::invalid_argument("allowance '" + part +
                                  "': expected tf32, tf32_truncated or ftz, separated by commas");
    }
  }
  return allowance;
}

std::string AllowanceText(const Allowance& allowance) {
  std::string text;
  for (const Word& word : Words()) {
    if (allowance.*word.flag) text += (text.empty() ? "" : ",") + word.name;
  }
  return text;
}

Allowing::Allowing(const Allowance& allowance) : before_(Current()) { Current() = allowance; }
Allowing::~Allowing() { Current() = before_; }

const Allowance& Allowed() { return Current(); }

}  // namespace touchstone::exact
