#include "reference/checkpoint/bad_checkpoint.h"

#include <cstddef>

namespace touchstone::checkpoint {

std::string Quoted(std::string_view text) {
  constexpr size_t kShown = 120;
  constexpr char kDigits[] = "0123456789abcdef";
  std::string quoted = "'";
  for (const char c : text.substr(0, kShown)) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x20 && byte < 0x7f) {
      quoted += c;
    } else {
      quoted += {'\\', 'x', kDigits[byte >> 4], kDigits[byte & 15]};
    }
  }
  return quoted + (text.size() > kShown ? "...'" : "'");
}

}  // namespace touchstone::checkpoint
