// The version of the numerics contract. Any change to a bit of the reference raises it, in a commit
// of its own that also remakes the golden files. Every golden file, manifest, trace and report
// carries the version it was made under; a reader that finds another refuses and names both.
#pragma once

namespace touchstone {

inline constexpr int kContractVersion = 1;

}  // namespace touchstone
