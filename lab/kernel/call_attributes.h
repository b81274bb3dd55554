// What a kernel is told beside its tensors: the op's attributes, and each size of the case that no
// tensor's shape shows, under its letter. `A` of moe_block is one: how many experts a token has.
#pragma once

#include "lab/spec.h"

namespace touchstone::lab {

Attributes CallAttributes(const Case& c);

// The letters of those sizes.
std::string LettersWithoutShape(const OpSpec& op);

}  // namespace touchstone::lab
