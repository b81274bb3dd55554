// The kernel of `--kernel`, whatever it is given as: a shared library (plugin_kernel.h), or a CUDA
// source, which is compiled first (lab/files/cuda_source.h says what it must say) and then judged
// as any library in a process of its own.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "lab/kernel/kernel.h"
#include "lab/kernel/plugin_kernel.h"

namespace touchstone::lab {

using KernelMaker = std::function<std::unique_ptr<Kernel>()>;

// A source for which the device is "cpu" or empty is compiled by the C++ compiler that built this
// program (where that is gone: $CXX, or c++) under the CPU execution model (kernels/simt); for
// "cuda" by nvcc. For a library `device` is what it must compute on; empty: anything.
//
// Compiles once; each call starts a process. `op` must outlive the kernels. Throws
// KernelUnavailable where there is no such file, compiler or device, or the source does not
// compile. The maker throws what PluginKernel throws.
KernelMaker KernelMakerOf(const std::string& kernel, const OpSpec& op, const KernelLimits& limits,
                          const std::string& device);

// Whether the word of --kernel names a CUDA source.
bool IsCudaSource(const std::string& kernel);

}  // namespace touchstone::lab
