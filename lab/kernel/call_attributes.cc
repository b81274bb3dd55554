#include "lab/kernel/call_attributes.h"

#include <algorithm>
#include <string>

namespace touchstone::lab {

std::string LettersWithoutShape(const OpSpec& op) {
  std::string letters;
  for (const auto& size : op.sizes) {
    const char letter = size.first;
    const bool shown = std::any_of(
        op.arguments.begin(), op.arguments.end(),
        [&](const Argument& argument) { return argument.dims.find(letter) != std::string::npos; });
    if (!shown) letters += letter;
  }
  return letters;
}

Attributes CallAttributes(const Case& c) {
  Attributes all = c.attributes;
  for (const char letter : LettersWithoutShape(*c.op)) {
    all.emplace(std::string(1, letter), static_cast<double>(c.size(letter)));
  }
  return all;
}

}  // namespace touchstone::lab
