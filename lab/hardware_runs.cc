#include "lab/hardware_runs.h"

#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>

#include "lab/repository.h"

namespace touchstone::lab {
namespace {

// "ptx/cp_async" of every row whose verdict is a pass.
std::set<std::string> Confirmed() {
  std::set<std::string> names;
  std::ifstream table(std::filesystem::path(RepositoryRoot()) / "docs/tables/hardware_runs.tsv");
  std::string line;
  while (std::getline(table, line)) {
    const bool passed = line.ends_with("\tBIT-EXACT");
    if (passed) names.insert(line.substr(0, line.find('\t')));
  }
  return names;
}

// The files under kernels/ that `file` includes, and those that they include. A header that has a
// .cu beside it declares what that defines: whoever includes the one runs the other.
void FollowIncludes(const std::string& file, std::set<std::string>* seen) {
  if (!seen->insert(file).second) return;
  const std::filesystem::path path = std::filesystem::path(RepositoryRoot()) / file;
  std::ifstream source(path);
  std::filesystem::path beside = file;
  beside.replace_extension(".cu");
  if (std::filesystem::exists(std::filesystem::path(RepositoryRoot()) / beside)) {
    FollowIncludes(beside.string(), seen);
  }
  const std::string begin = "#include \"kernels/";
  std::string line;
  while (std::getline(source, line)) {
    if (!line.starts_with(begin)) continue;
    const size_t name = line.find('"') + 1;
    FollowIncludes(line.substr(name, line.find('"', name) - name), seen);
  }
}

}  // namespace

std::vector<std::string> UnprovenWrappers(const std::string& op,
                                          const std::string& implementation) {
  if (!implementation.starts_with("kernels/")) return {};
  std::set<std::string> files;
  FollowIncludes("kernels/" + op + implementation.substr(implementation.find('/')) + ".cu", &files);
  const std::set<std::string> confirmed = Confirmed();
  std::vector<std::string> unproven;
  for (const std::string& file : files) {
    if (!file.starts_with("kernels/ptx/")) continue;
    const std::string name = "ptx/" + std::filesystem::path(file).stem().string();
    if (!confirmed.contains(name)) unproven.push_back(name);
  }
  return unproven;
}

}  // namespace touchstone::lab
