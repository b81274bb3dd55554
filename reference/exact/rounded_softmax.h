// Softmax and the sum over values as known implementations compute them on 16-bit tensors: with
// rounding places that the contract does not have (kExponentials, kProbabilities).
#pragma once

#include <cstdint>
#include <vector>

#include "reference/exact/attention_scores.h"
#include "reference/exact/enclosure.h"
#include "reference/formats/dtype.h"

namespace touchstone::exact {

// Blocks of keys with a running maximum, where exponentials are rounded before they are divided.
inline constexpr int64_t kExponentialBlock = 512;

struct SoftmaxPlaces {
  bool exponentials = false, probabilities = false;  // one of them at least
  bool fast_exponential = false;
  Dtype storage = Dtype::kBf16;
};

// For each query, a row of `scores` of which the keys visible[row] count (absolute positions; the
// row's first column is position `first`): the output before its last rounding. v has a row a
// column of `scores`.
Enclosure RoundedSoftmax(const SoftmaxPlaces& places, const Scores& scores,
                         const std::vector<Keys>& visible, int64_t first, const Enclosure& v);

}  // namespace touchstone::exact
