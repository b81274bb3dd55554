// The program's kernels on a GPU: the library beside it that nvcc compiled (kernels/model).
#pragma once

#include "kernels/model/device_library.h"

namespace touchstone::lab {

// Opens it, once. Throws KernelUnavailable, with the reason, where the kernels were not compiled
// for GPUs or there is none.
const kernels::DeviceLibrary& CudaLibrary();

}  // namespace touchstone::lab
