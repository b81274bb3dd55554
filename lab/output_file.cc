#include "lab/output_file.h"

#include <fmt/format.h>

#include <filesystem>
#include <stdexcept>

#include "lab/errors.h"

namespace touchstone::lab {
namespace {

namespace fs = std::filesystem;

bool AreSame(const fs::path& a, const fs::path& b) {
  std::error_code ignored;
  return fs::equivalent(a, b, ignored);
}

}  // namespace

void RequireOutput(const std::string& flag, const std::string& path,
                   const std::vector<std::string>& inputs) {
  if (path.empty()) throw UsageError(fmt::format("{}: expected the name of a file", flag));
  std::error_code ignored;
  const fs::file_status there = fs::symlink_status(path, ignored);
  if (fs::exists(there) && !fs::is_regular_file(there)) {
    throw UsageError(fmt::format("{} {}: there is no regular file at that name, but {}", flag, path,
                                 fs::is_directory(there) ? "a folder" : "something else"));
  }
  const fs::path parent = fs::absolute(path, ignored).parent_path();
  if (!fs::is_directory(parent, ignored)) {
    throw std::runtime_error(
        fmt::format("{} {}: there is no folder {}", flag, path, parent.string()));
  }
  if (!fs::exists(there)) return;
  for (const std::string& input : inputs) {
    if (AreSame(path, input) || (fs::is_directory(input, ignored) && AreSame(parent, input))) {
      throw UsageError(fmt::format("{} {}: that would replace a file that is read", flag, path));
    }
  }
}

}  // namespace touchstone::lab
