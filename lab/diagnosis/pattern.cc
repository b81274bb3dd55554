#include "lab/diagnosis/pattern.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <set>

#include "lab/diagnosis/ulp_histogram.h"

namespace touchstone::lab {
namespace {

std::string Ordinal(int64_t n) {
  const int64_t tens = n % 100, ones = n % 10;
  const bool teen = 11 <= tens && tens <= 13;
  return fmt::format("{}{}", n,
                     !teen && ones == 1   ? "st"
                     : !teen && ones == 2 ? "nd"
                     : !teen && ones == 3 ? "rd"
                                          : "th");
}

// The constant difference of neighbours; 0 where there is none.
int64_t StepOf(const std::vector<int64_t>& values) {
  const int64_t step = values[1] - values[0];
  for (size_t i = 2; i < values.size(); ++i) {
    if (values[i] - values[i - 1] != step) return 0;
  }
  return step;
}

// The index values along each letter of the wrong elements.
std::vector<std::vector<int64_t>> IndicesOf(const std::vector<int64_t>& wrong,
                                            const std::vector<int64_t>& shape) {
  std::vector<std::set<int64_t>> sets(shape.size());
  for (const int64_t i : wrong) {
    const std::vector<int64_t> at = CoordinatesOf(shape, i);
    for (size_t d = 0; d < shape.size(); ++d) sets[d].insert(at[d]);
  }
  std::vector<std::vector<int64_t>> indices;
  for (const auto& set : sets) indices.emplace_back(set.begin(), set.end());
  return indices;
}

std::string ByCoordinates(const Argument& output, const std::vector<int64_t>& wrong,
                          const std::vector<int64_t>& shape, int64_t count) {
  const size_t total = wrong.size();
  std::string text = fmt::format("{}: {} of {} elements", output.name, total, count);
  if (static_cast<int64_t>(total) == count) return text + ", all of them";
  const std::vector<std::vector<int64_t>> indices = IndicesOf(wrong, shape);
  std::vector<std::string> words;
  double box = 1.0;
  bool contiguous = true;
  size_t parts = 0;  // letters of which a part, and more than one index, is concerned
  for (size_t d = 0; d < shape.size(); ++d) {
    const std::vector<int64_t>& values = indices[d];
    const char letter = LowerCase(output.dims[d]);
    box *= static_cast<double>(values.size());
    const bool run = values.size() < 2 || StepOf(values) == 1;
    const bool part = static_cast<int64_t>(values.size()) < shape[d];
    contiguous = contiguous && run;
    parts += part && values.size() > 1 ? 1 : 0;
    std::string word = WordsForIndices(letter, values, shape[d]);
    if (word.empty()) word = fmt::format("{} of {} {}", values.size(), shape[d], letter);
    words.push_back(std::move(word));
  }
  const double share = static_cast<double>(total) / box;
  const bool whole = share == 1.0;
  const bool tile = whole && contiguous && parts >= 2;
  text += fmt::format(": {}{}", tile ? "a tile " : "", fmt::join(words, tile ? " x " : ", "));
  if (whole) return text + (tile ? "" : ", all of these");
  return text + fmt::format("; {:.0f} % of these", std::max(1.0, std::floor(share * 100.0)));
}

// log2 of the error in ulps, plus 1; what is not finite counts as 32 bits.
double ErrorBits(const Tensor& got, const Tensor& right, int64_t i) {
  const double x = got.Real(i), y = right.Real(i);
  if (SameBits(got, i, right, i)) return 0.0;
  if (!std::isfinite(x) || !std::isfinite(y) || std::signbit(x) != std::signbit(y)) return 32.0;
  return std::log2(1.0 + static_cast<double>(UlpDistance(x, y, got.dtype)));
}

// Letters along which errors grow: in four quarters of the index the mean rises each time, by two
// bits in all.
void AddTrends(const Suspect& suspect, const Argument& output, std::vector<std::string>* found) {
  const Tensor& got = suspect.got.at(output.name);
  const Tensor& right = suspect.right.at(output.name);
  for (size_t d = 0; d < got.shape.size(); ++d) {
    if (got.shape[d] < 8) continue;
    double sum[4] = {}, count[4] = {};
    for (int64_t i = 0; i < got.count(); ++i) {
      const size_t quarter = static_cast<size_t>(CoordinatesOf(got.shape, i)[d] * 4 / got.shape[d]);
      sum[quarter] += ErrorBits(got, right, i);
      count[quarter] += 1.0;
    }
    bool rises = true;
    for (size_t q = 0; q < 4; ++q) {
      sum[q] /= count[q];
      rises = rises && (q == 0 || sum[q] > sum[q - 1] + 0.1);
    }
    if (rises && sum[3] > sum[0] + 2.0) {
      found->push_back(
          fmt::format("{}: errors grow with {}, from {:.1f} to {:.1f} bits in the mean",
                      output.name, LowerCase(output.dims[d]), sum[0], sum[3]));
    }
  }
}

// Where wrong elements are exactly those whose right value has a property that others lack.
void AddValues(const Suspect& suspect, const Argument& output, const std::vector<int64_t>& wrong,
               std::vector<std::string>* found) {
  const Tensor& right = suspect.right.at(output.name);
  const int64_t count = right.count(), wrong_count = static_cast<int64_t>(wrong.size());
  const std::set<int64_t> wrong_set(wrong.begin(), wrong.end());
  struct Property {
    std::string words;
    std::function<bool(double)> holds;
  };
  const std::vector<Property> properties = {
      {"negative", [](double x) { return std::signbit(x); }},
      {"positive", [](double x) { return x > 0.0; }},
      {"zero", [](double x) { return x == 0.0; }},
      {"subnormal", [](double x) { return x != 0.0 && std::fabs(x) < 0x1p-126; }},
      {"NaN or infinite", [](double x) { return !std::isfinite(x); }},
  };
  for (const Property& property : properties) {
    int64_t with = 0, of_wrong = 0;
    for (int64_t i = 0; i < count; ++i) {
      if (!property.holds(right.Real(i))) continue;
      ++with;
      of_wrong += wrong_set.contains(i) ? 1 : 0;
    }
    if (of_wrong == wrong_count && with < count) {
      found->push_back(
          fmt::format("{}: only where the right value is {}, in {} of {} such elements",
                      output.name, property.words, of_wrong, with));
    }
  }
  double least_wrong = INFINITY, most_wrong = 0.0, least_right = INFINITY, most_right = 0.0;
  for (int64_t i = 0; i < count; ++i) {
    const double size = std::fabs(right.Real(i));
    if (std::isnan(size)) return;
    double& least = wrong_set.contains(i) ? least_wrong : least_right;
    double& most = wrong_set.contains(i) ? most_wrong : most_right;
    least = std::min(least, size);
    most = std::max(most, size);
  }
  if (wrong_count == count || wrong_count < 2) return;
  if (least_wrong > most_right) {
    found->push_back(
        fmt::format("{}: only the largest in size, from {:.4g} on", output.name, least_wrong));
  } else if (most_wrong < least_right && most_wrong >= 0x1p-126) {
    found->push_back(
        fmt::format("{}: only the smallest in size, up to {:.4g}", output.name, most_wrong));
  }
}

}  // namespace

std::string WordsForIndices(char letter, const std::vector<int64_t>& values, int64_t extent) {
  const int64_t n = static_cast<int64_t>(values.size());
  if (n == 0) return "";
  const int64_t first = values.front(), last = values.back();
  if (n == extent) return fmt::format("every {}", letter);
  if (n == 1) return fmt::format("only {}={} of 0..{}", letter, first, extent - 1);
  const int64_t step = StepOf(values);
  if (step == 1) {
    if (last == extent - 1) return fmt::format("only {0}>={1} of 0..{2}", letter, first, last);
    if (first == 0) return fmt::format("only {}<{} of 0..{}", letter, last + 1, extent - 1);
    return fmt::format("{}={}..{}", letter, first, last);
  }
  // A step that ends only where the extent does.
  if (step > 1 && n >= 3 && first < step && last + step >= extent) {
    return fmt::format("every {} {}, from {}={}", Ordinal(step), letter, letter, first);
  }
  if (n <= 4) return fmt::format("{}={}", letter, fmt::join(values, ","));
  if (extent - n <= 2) {
    std::vector<int64_t> others;
    for (int64_t i = 0; i < extent; ++i) {
      if (!std::binary_search(values.begin(), values.end(), i)) others.push_back(i);
    }
    return fmt::format("every {} but {}={}", letter, letter, fmt::join(others, ","));
  }
  return "";
}

std::vector<std::string> PatternOf(const Suspect& suspect) {
  std::vector<std::string> found;
  for (const Argument& output : suspect.c.op->arguments) {
    const auto entry = suspect.wrong.find(output.name);
    if (entry == suspect.wrong.end() || entry->second.empty()) continue;
    const Tensor& right = suspect.right.at(output.name);
    found.push_back(ByCoordinates(output, entry->second, right.shape, right.count()));
    if (right.dtype == Dtype::kI64) continue;
    AddTrends(suspect, output, &found);
    AddValues(suspect, output, entry->second, &found);
  }
  return found;
}

}  // namespace touchstone::lab
