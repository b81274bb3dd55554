// The kernels compiled for GPUs, a library that the program opens (touchstone_cuda.so beside it).
// It defines the same names as the program's own kernels, and so exports one function.
#pragma once

#include <cstddef>

#include "reference/formats/dtype.h"
#include "reference/model/backend.h"

namespace touchstone::kernels {

// A kernel of one recipe, called with tensors of the host (staged_call.h).
struct DeviceKernel {
  const char* op;
  const char* algorithm;
  Dtype recipe;
  void (*function)();  // of the reference's type; of a chain: of reference/ops/chains.h
  // Of a kernel that calls a library: held to the bound alone, and this says why the library cannot
  // be used here, or returns null.
  const char* (*why_not)() = nullptr;
};

struct DeviceLibrary {
  const DeviceKernel* kernels;
  size_t count;
  void (*put_kernels)(Backend* backend);
  double (*seconds_of_last_call)();  // that the device took, of the calling thread (staged_call.h)
  const char* device;                // "NVIDIA H200, sm_90, driver 13.0"
};

}  // namespace touchstone::kernels

// Returns why there is no GPU to run the kernels on, or sets `library` and returns null.
extern "C" __attribute__((visibility("default"))) const char* touchstone_cuda_open(
    const touchstone::kernels::DeviceLibrary** library);
