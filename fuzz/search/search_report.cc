#include "fuzz/search/search_report.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <set>
#include <vector>

#include "fuzz/search/given_values.h"

namespace touchstone::fuzz {
namespace {

constexpr size_t kShownSizes = 12;

double Rate(const Coverage& coverage, double seconds) {
  return seconds > 0.0 ? static_cast<double>(coverage.trials) / seconds : 0.0;
}

// The most frequent keys, in their own order, and how many there are.
template <typename Key>
std::string Values(const std::map<Key, int64_t>& counts) {
  std::vector<std::pair<int64_t, Key>> by_count;
  for (const auto& [key, count] : counts) by_count.emplace_back(-count, key);
  std::sort(by_count.begin(), by_count.end());
  std::set<Key> shown;
  for (size_t i = 0; i < by_count.size() && i < kShownSizes; ++i) shown.insert(by_count[i].second);
  std::string text = fmt::format("{}", fmt::join(shown, " "));
  if (counts.size() > shown.size())
    text += fmt::format(" and {} more", counts.size() - shown.size());
  return text;
}

// Classes of the op's list in each recipe, those that no trial met.
std::vector<std::string> Unmet(const lab::OpSpec& op, const std::vector<Dtype>& recipes,
                               const Coverage& coverage) {
  std::set<std::string> unmet;
  for (const lab::Case& c : lab::CasesOf(op)) {
    if (std::find(recipes.begin(), recipes.end(), c.recipe) == recipes.end()) continue;
    const std::string name = fmt::format("{}/{}", Name(c.recipe), c.input_class);
    if (!coverage.classes.contains(name)) unmet.insert(name);
  }
  return {unmet.begin(), unmet.end()};
}

}  // namespace

std::string ProgressText(const lab::OpSpec& op, const Coverage& coverage, double seconds) {
  std::string sizes;
  for (const auto& [letter, counts] : coverage.sizes) {
    sizes += fmt::format("{} {} {}..{}", sizes.empty() ? "" : ",", letter, counts.begin()->first,
                         counts.rbegin()->first);
  }
  return fmt::format("{}: {} cases, {:.0f} a second;{}; {} classes, {} patterns of values", op.name,
                     coverage.trials, Rate(coverage, seconds), sizes, coverage.classes.size(),
                     coverage.patterns.size());
}

std::string CoverageText(const lab::OpSpec& op, const std::vector<Dtype>& recipes,
                         const Coverage& coverage, double seconds) {
  std::string text = fmt::format(
      "{} cases in {:.1f} s, {:.0f} a second; {} elements compared, {} undecidable\n",
      coverage.trials, seconds, Rate(coverage, seconds), coverage.compared, coverage.undecidable);
  for (const auto& [letter, counts] : coverage.sizes) {
    text += fmt::format("  {:<10} {} sizes from {} to {}: {}\n", letter, counts.size(),
                        counts.begin()->first, counts.rbegin()->first, Values(counts));
  }
  for (const auto& [name, counts] : coverage.attributes) {
    text += fmt::format("  {:<10} {}\n", name, Values(counts));
  }
  std::vector<std::string> classes, patterns;
  for (const auto& [name, count] : coverage.classes)
    classes.push_back(fmt::format("{} {}", name, count));
  for (const auto& [name, count] : coverage.patterns) {
    patterns.push_back(fmt::format("{} {}", name, count));
  }
  text += fmt::format("  {:<10} {}\n", "classes", fmt::join(classes, ", "));
  text += fmt::format("  {:<10} {}\n", "values", fmt::join(patterns, ", "));
  const std::vector<std::string> unmet = Unmet(op, recipes, coverage);
  if (!unmet.empty()) text += fmt::format("  {:<10} {}\n", "not met", fmt::join(unmet, ", "));
  text +=
      fmt::format("  {:<10} {} drawn cases that the op's contract does not allow, {} given up\n",
                  "left out", coverage.invalid, coverage.given_up);
  if (coverage.refused > 0) {
    text += fmt::format("  {:<10} {} cases that the kernel does not support\n", "refused",
                        coverage.refused);
  }
  return text;
}

}  // namespace touchstone::fuzz
