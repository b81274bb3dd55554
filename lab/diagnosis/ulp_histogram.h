#pragma once

#include <vector>

#include "lab/diagnosis/suspect.h"

namespace touchstone::lab {

// How far all elements of the real outputs are from the right ones, in steps of the output's
// format. A step leads from one number of the format to the next; across zero there is a bin of its
// own. Bins that are empty are left out. Integer outputs are not counted.
std::vector<UlpBin> UlpHistogram(const Suspect& suspect);

// Steps between two finite numbers of the format of the same sign.
int64_t UlpDistance(double a, double b, Dtype dtype);

}  // namespace touchstone::lab
