// What can be said of a plug-in's file before anything of it is loaded. The file may hold anything.
#pragma once

#include <string>
#include <vector>

namespace touchstone::lab {

// Throws KernelUnavailable where the file is missing, cannot be read, is no ELF file, no shared
// library, or one for another architecture than this program's.
void RequireSharedLibrary(const std::string& path);

// The symbols named touchstone_* that the file's table exports, sorted; at most 64. None where the
// table cannot be read.
std::vector<std::string> ExportedKernels(const std::string& path);

}  // namespace touchstone::lab
