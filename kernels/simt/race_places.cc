// The line of an address in the program, from its debug information.
#include <link.h>
#include <unistd.h>

#include <cstdio>
#include <map>
#include <sstream>

#include "kernels/simt/race_detector.h"

namespace touchstone::simt::race {
namespace {

// Places are distances from here: no program is larger than 2 GB.
uintptr_t Anchor() { return reinterpret_cast<uintptr_t>(&TheDetector); }

// The innermost line outside the execution model itself, of what addr2line prints of the inlined
// functions at an address: "/.../kernels/parts/lane_fold.cuh:24 (discriminator 3)", a line each.
std::string KernelLine(const std::string& lines) {
  std::istringstream text(lines);
  std::string line, innermost;
  while (std::getline(text, line)) {
    line = line.substr(0, line.find(' '));
    if (line.starts_with("??") || line.ends_with(":?") || line.ends_with(":0")) continue;
    const bool is_model = line.find("kernels/simt/") != std::string::npos ||
                          line.find("kernels/ptx/") != std::string::npos ||
                          line.find("/include/c++/") != std::string::npos;
    const std::string name = line.substr(line.rfind('/') + 1);
    if (!is_model) return name;
    if (innermost.empty()) innermost = name;
  }
  return innermost;
}

// Where the program was loaded: its first entry is the program itself.
uintptr_t LoadedAt() {
  uintptr_t at = 0;
  dl_iterate_phdr(
      [](dl_phdr_info* info, size_t, void* out) {
        *static_cast<uintptr_t*>(out) = info->dlpi_addr;
        return 1;
      },
      &at);
  return at;
}

std::string LineOf(uintptr_t pc) {
  char command[128];
  // The call lies before its return address.
  std::snprintf(command, sizeof command, "addr2line -i -e /proc/%d/exe 0x%zx 2>/dev/null", getpid(),
                static_cast<size_t>(pc - 1 - LoadedAt()));
  FILE* const pipe = popen(command, "r");
  if (pipe == nullptr) return "";
  std::string lines;
  char piece[512];
  while (std::fgets(piece, sizeof piece, pipe) != nullptr) lines += piece;
  pclose(pipe);
  return KernelLine(lines);
}

}  // namespace

Place PlaceOf(const void* pc) {
  return static_cast<Place>(reinterpret_cast<uintptr_t>(pc) - Anchor());
}

std::string ShowPlace(Place place) {
  static auto* const known = new std::map<Place, std::string>;
  const auto [found, is_new] = known->try_emplace(place);
  if (is_new) found->second = LineOf(Anchor() + static_cast<uintptr_t>(intptr_t{place}));
  return found->second.empty() ? "" : " (" + found->second + ")";
}

}  // namespace touchstone::simt::race
