#include "lab/model/number_list.h"

#include <fmt/format.h>

#include <charconv>

#include "lab/errors.h"

namespace touchstone::lab {
namespace {

constexpr size_t kMostNumbers = 1 << 24;

}  // namespace

std::vector<int64_t> NumberList(const std::string& flag, const std::string& text, int64_t most) {
  const auto refuse = [&](const std::string& what) {
    throw UsageError(fmt::format(
        "{}: {}; expected numbers from 0 to {}, separated by commas, or ranges like 5-7", flag,
        what, most));
  };
  const char* at = text.data();
  const char* const end = text.data() + text.size();
  const auto number = [&]() -> int64_t {
    int64_t value = 0;
    const auto [next, failure] = std::from_chars(at, end, value);
    if (failure == std::errc::result_out_of_range) refuse("a number that is too large");
    if (failure != std::errc{} || value < 0) {
      refuse(at == end ? "the list ends where a number is missing"
                       : fmt::format("no number at character {}", at - text.data() + 1));
    }
    if (value > most) refuse(fmt::format("{} is too large", value));
    at = next;
    return value;
  };
  const auto skip_space = [&] {
    while (at != end && (*at == ' ' || *at == '\n' || *at == '\t')) ++at;
  };

  std::vector<int64_t> numbers;
  while (true) {
    const int64_t first = number();
    int64_t last = first;
    if (at != end && *at == '-') {
      ++at;
      last = number();
      if (last < first) refuse(fmt::format("the range {}-{} runs backwards", first, last));
    }
    if (numbers.size() + static_cast<size_t>(last - first) >= kMostNumbers) {
      refuse("more than 16,777,216 numbers");
    }
    for (int64_t n = first; n <= last; ++n) numbers.push_back(n);
    const char* const last_digit = at;
    skip_space();
    if (at == end) return numbers;
    if (*at == ',') {
      ++at;
      skip_space();
    } else if (at == last_digit) {
      refuse(fmt::format("no number at character {}", at - text.data() + 1));
    }
  }
}

}  // namespace touchstone::lab
