// Input classes: integer formulas of the words that Philox gives (rule N10), so that a dozen lines
// of any language make the same tensors. docs/chapters/inputs.md writes them out.
//
//   w is the tensor's word i; E the argument's exponent, in f32 less by what makes the same size
//   integers    n = w mod 9 - 4                                    any order of a sum is exact
//   normal      rule N10
//   wide        rule N10, times 2^((w >> 27) - 16)
//   outliers    rule N10, times 64 where the last index mod 37 = 5
//   ties        (w mod 5 - 2) / 4                                  many equal values
//   subnormals  rule N10 with E = 133 (bf16) or 149 (f32)
//   specials    rule N10, but where w mod 64 = 0 one of +inf, -inf, NaN, +0, -0, largest, -largest,
//               smallest subnormal, by (w >> 6) mod 8
//   zeros       +0 where w is even, -0 where it is odd
//
// Classes of one unusual input among normal ones, for ops that list them:
//
//   tiny         the first real input is of class subnormals
//   tiny_weight  the second one is
//   nans         the first one is NaN where w mod 16 = 0
//   zeros_first  the first one is +0 where w mod 2 = 0; the second one is +inf, -inf or NaN by
//                floor(w / 16) mod 3 where w mod 16 = 0
//   zeros_second the same, exchanged
//   last         the first one is normal but for 16 at the end of its last axis
//
// Class `real` is no formula: recorded_inputs.h.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "lab/spec.h"

namespace touchstone::lab {

// The names above, in that order.
const std::vector<std::string>& GeneralClassNames();

// Fills a tensor of recipe storage or f32 by a general class.
void FillByClass(const std::string& input_class, uint64_t seed, uint32_t tensor, int exponent,
                 Tensor* out);

// Word and value of the class `normal`, for ops that build their own classes on it.
float NormalValue(uint32_t word, Dtype dtype, int exponent);

// The tensor number of a path (rule N10): first four bytes, little endian, of its SHA-256.
uint32_t TensorNumber(const std::string& path);

// The same rows, of which golden files hold hashes alone.
std::vector<CaseRow> Hashed(std::vector<CaseRow> rows, Suite suite = Suite::kDefault);

// All tensors of a case: inputs generated, outputs of the right shape, all bits set (a NaN).
Tensors MakeTensors(const Case& c);

}  // namespace touchstone::lab
