// The kernels that compute a forward pass, as a table of functions of the reference's types. Each
// call takes its tensors to the device and its results back (staged_call.h): right before it is
// fast. Weights travel at every call, so that a model of any size fits.
#pragma once

#include "reference/model/backend.h"

namespace touchstone::kernels {

// Puts a kernel in the place of every op of the table.
void PutKernels(Backend* backend);

}  // namespace touchstone::kernels
