// A failed case as the diagnosis sees it: what a kernel gave, what is right, and which elements are
// wrong. Those are the elements outside their bound; where none is, those of other bits.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "lab/diagnosis/diagnosis.h"

namespace touchstone::lab {

struct Suspect {
  Case c;
  Tensors inputs;  // with outputs of the right shape, to be run on
  Tensors got, right;
  Expected expected;
  bool outside = false;                               // of the bound, somewhere
  std::map<std::string, std::vector<int64_t>> wrong;  // by output: indices, ascending
};

Suspect SuspectOf(const Sample& sample, const Tensors& right);

// Whether element i of the output may be what element j of the right answer is.
bool Accepts(const Suspect& suspect, const Argument& output, int64_t i, int64_t j);

// Whether that tells anything: the right answer at j is decided and a number but 0, and few other
// elements would be accepted there, or accept element i. Wide bounds and frequent values accept by
// chance.
bool IsTelling(const Suspect& suspect, const Argument& output, int64_t i, int64_t j);

// Bits of one element, NaN canonical.
bool SameBits(const Tensor& a, int64_t i, const Tensor& b, int64_t j);

// Row-major coordinates of an element, and the other way round.
std::vector<int64_t> CoordinatesOf(const std::vector<int64_t>& shape, int64_t i);
int64_t IndexOf(const std::vector<int64_t>& shape, const std::vector<int64_t>& at);

char LowerCase(char letter);

}  // namespace touchstone::lab
