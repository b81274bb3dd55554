// Stage 3 of the lab, the comparison: a tensor against what the second reference accepts for each
// of its elements, and against frozen bits.
//
// The bounded verdict: with [lower, upper] of an element before its last rounding, the accepted set
// is [RN(lower), RN(upper)]. Where both ends are one value the element is decided. A comparison is
// written as acceptance, so that a NaN fails, and counts what it compared.
#pragma once

#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "lab/chain.h"
#include "lab/spec.h"

namespace touchstone::lab {

// The first element that is not accepted.
struct Difference {
  std::string tensor;
  std::string at;      // coordinates by letter: "t=1 c=17"
  std::string got;     // hex and decimal
  std::string wanted;  // the accepted interval, or the frozen value
};

struct Comparison {
  int64_t compared = 0;     // elements of which something can be said
  int64_t outside = 0;      // not accepted
  int64_t undecidable = 0;  // nothing can be said; not part of `compared`
  int64_t decided = 0;      // one accepted value
  // |got - value| over bound plus half a unit of the output's last place: above 1 is outside.
  double largest_ratio = 0.0;
  // The smallest relative error that, made in one element alone, would have been outside.
  double smallest_rejected = std::numeric_limits<double>::infinity();
  std::optional<Difference> first;

  bool Passed() const { return compared > 0 && outside == 0; }
  void Join(const Comparison& other);
};

// Outputs of a case, in the tensors given, against the second reference: each, and all of them.
std::map<std::string, Comparison> CompareOutputs(const Case& c, const Tensors& tensors,
                                                 const Expected& expected);
Comparison CompareWithExpected(const Case& c, const Tensors& tensors, const Expected& expected);

// Bits of one tensor, NaN canonical (N8), -0 different from +0.
Comparison CompareBits(const std::string& name, const std::string& dims, const Tensor& got,
                       const Tensor& wanted);

// Coordinates of element i of a tensor, by the letters of its argument: "t=1 c=17".
std::string Coordinates(const std::string& dims, const std::vector<int64_t>& shape, int64_t i);

// One element, as reports print it: hexadecimal float, decimal and bits.
std::string ShowElement(const Tensor& tensor, int64_t i);

}  // namespace touchstone::lab
