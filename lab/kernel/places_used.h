// Which inner rounding places a kernel seems to use: those settings of the op's places under which
// the second reference accepts every element of some outputs.
#pragma once

#include <string>
#include <vector>

#include "lab/diagnosis/diagnosis.h"
#include "lab/spec.h"

namespace touchstone::lab {

enum class PlaceUsed {
  kYes,      // only settings with this rounding explain the outputs
  kNo,       // only settings without it
  kEither,   // both: these cases do not tell
  kNeither,  // no setting explains the outputs
};

struct PlaceUse {
  std::string place;  // "norm_unit"
  PlaceUsed used = PlaceUsed::kEither;
};

// Tries all settings of up to four places; of more, all on, all off, and each alone off or on.
// Empty where the op has no such place or the samples hold no recipe that rounds. Samples in f32
// are passed over: there no place rounds.
std::vector<PlaceUse> PlacesUsedIn(const std::vector<Sample>& samples);

}  // namespace touchstone::lab
