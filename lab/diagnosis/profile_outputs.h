// The outputs of a case under a numerics profile, as the tensors that a kernel would have written;
// and how much work a case is.
#pragma once

#include "lab/chain.h"
#include "lab/spec.h"

namespace touchstone::lab {

Tensors ProfileOutputs(const Case& c, const Tensors& inputs, const exact::Profile& profile);

// Bits of all outputs of the case, NaN canonical (N8); with `any_zero`, +0 is -0.
bool SameOutputs(const Case& c, const Tensors& a, const Tensors& b, bool any_zero = false);

// Multiply-adds, or more: outputs times the letters that inputs have and outputs do not.
double WorkOf(const Case& c);

}  // namespace touchstone::lab
