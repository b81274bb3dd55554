// Stage 5 of the lab, what a wrong output looks like: how far, in which pattern, under which
// declared profile the bits would be right, and what that usually is.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "lab/chain.h"
#include "lab/spec.h"

namespace touchstone::lab {

// One run of a kernel.
struct Sample {
  Case c;
  Tensors inputs;  // before the run
  Tensors got;     // outputs
};

struct UlpBin {
  std::string label;  // "0", "1", "2", "3-4", ..., "other sign", "NaN or infinite on one side"
  int64_t elements = 0;
};

struct Diagnosis {
  std::vector<UlpBin> histogram;     // distance to the reference, in ulps of the output's format
  std::vector<std::string> pattern;  // "rows t=2 of 0..3 and no others", "only c >= 64"
  std::vector<std::string> causes;   // likely first: "output truncated instead of rounded"
};

// One failed case. `right` is what the reference gives.
Diagnosis Diagnose(const Sample& sample, const Tensors& right);

// The declared profiles under which the reference gives these bits, all of them, in every sample
// (exact::ProfilePanel). The contract itself is "contract".
struct MatchingProfile {
  std::vector<std::string> names;  // empty: none
  // No profile gives all bits, and these give all but signs of zeros: a sum that starts at +0 in
  // each block loses the sign of a block of zeros, say.
  bool but_for_zeros = false;
};
MatchingProfile MatchingProfiles(const std::vector<Sample>& samples);

}  // namespace touchstone::lab
