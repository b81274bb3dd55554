// Names of files to write, looked at before any work is done.
#pragma once

#include <string>
#include <vector>

namespace touchstone::lab {

// Throws UsageError, naming the flag, unless `path` may be written: it is not empty; what is there
// already is a regular file; and it is neither one of `inputs` nor, where an input is a folder, a
// file that lies in it. Throws std::runtime_error where its folder does not exist.
void RequireOutput(const std::string& flag, const std::string& path,
                   const std::vector<std::string>& inputs);

}  // namespace touchstone::lab
