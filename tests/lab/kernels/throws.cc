// A kernel in C++ from which exceptions come.
#include <stdexcept>

#include "lab/include/touchstone.h"

namespace {

int Run(const touchstone_call* call) {
  if (call->threads > 1) throw call->threads;
  throw std::runtime_error("no such tile");
}

}  // namespace

TOUCHSTONE_KERNEL(rmsnorm) = {TOUCHSTONE_ABI,
                              sizeof(touchstone_kernel),
                              "throws",
                              "rmsnorm",
                              TOUCHSTONE_F32 | TOUCHSTONE_BF16,
                              TOUCHSTONE_CPU,
                              nullptr,
                              nullptr,
                              Run};
