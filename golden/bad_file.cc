#include "golden/bad_file.h"

#include <fmt/format.h>

#include <algorithm>

namespace touchstone::golden {
namespace {

constexpr size_t kShownBytes = 80;

bool IsGraphic(char c) { return '!' <= c && c <= '~'; }

}  // namespace

std::string Quoted(std::string_view text) {
  std::string quoted = "'";
  for (const char c : text.substr(0, kShownBytes)) {
    if ((IsGraphic(c) || c == ' ') && c != '\\' && c != '\'') {
      quoted += c;
    } else {
      quoted += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
    }
  }
  return quoted + (text.size() > kShownBytes ? "'..." : "'");
}

bool IsPlainName(std::string_view name) {
  return !name.empty() && std::all_of(name.begin(), name.end(), IsGraphic);
}

}  // namespace touchstone::golden
