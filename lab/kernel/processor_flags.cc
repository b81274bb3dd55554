#include "lab/kernel/processor_flags.h"

#include <fstream>
#include <sstream>

namespace touchstone::lab {

std::set<std::string> ProcessorFlags() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    const bool is_list = line.starts_with("flags") || line.starts_with("Features");
    const size_t colon = line.find(':');
    if (!is_list || colon == std::string::npos) continue;
    std::istringstream words(line.substr(colon + 1));
    std::set<std::string> flags;
    for (std::string word; words >> word;) flags.insert(word);
    return flags;
  }
  return {};
}

std::vector<std::string> MissingFlags(std::string_view needs, const std::set<std::string>& flags) {
  std::istringstream words{std::string(needs)};
  std::vector<std::string> missing;
  for (std::string word; words >> word;) {
    if (!flags.contains(word)) missing.push_back(word);
  }
  return missing;
}

}  // namespace touchstone::lab
