// Fuzz target: the parser of manifests, from memory. Whatever the bytes are, the parser returns or
// throws BadFile; and what it accepts, FormatManifest writes so that it parses to the same again.
#include "golden/manifest.h"

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

using touchstone::golden::BadFile;
using touchstone::golden::FormatManifest;
using touchstone::golden::Manifest;
using touchstone::golden::ParseManifest;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  Manifest manifest;
  try {
    manifest = ParseManifest({reinterpret_cast<const char*>(data), size}, "input");
  } catch (const BadFile&) {
    return 0;
  }
  if (ParseManifest(FormatManifest(manifest), "again").entries != manifest.entries) std::abort();
  return 0;
}
