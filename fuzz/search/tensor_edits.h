// The steps of shrinking, as edits of a trial's tensors.
#pragma once

#include <cstdint>
#include <vector>

#include "fuzz/search/trial.h"

namespace touchstone::fuzz {

// Which elements stay where an extent becomes smaller.
enum class Corner { kFirst, kLast };

// The trial's values in the shapes of `c`, which differs from its case in sizes or attributes.
// Integer tensors may follow from sizes (offsets, ids): `integers_of_class` makes them anew.
// Throws ContractViolation where the op's fill refuses.
Trial Resized(const Trial& trial, const lab::Case& c, Corner corner, bool integers_of_class);

// The same values in another recipe's formats.
Trial WithRecipe(const Trial& trial, const lab::Case& c);

bool HasIntegers(const lab::Case& c);  // among the inputs

// Elements whose bits are not those of +0.
std::vector<int64_t> NonZeroElements(const Tensor& tensor);

// A value that the tensor's format holds.
void SetElement(Tensor* tensor, int64_t i, double value);

// Values to try in place of one, the simplest first, all simpler than it and held by the format.
std::vector<double> SimplerValues(double value, Dtype dtype);

}  // namespace touchstone::fuzz
