// The one encoding of a tensor's elements that files and hashes share: row-major, little endian,
// and every NaN the canonical one of its format (rule N8).
#pragma once

#include <cstddef>
#include <vector>

#include "reference/formats/tensor.h"

namespace touchstone::golden {

// Throws ContractViolation where the tensor's data do not have the size that its shape says.
std::vector<std::byte> CanonicalBytes(const Tensor& tensor);

}  // namespace touchstone::golden
