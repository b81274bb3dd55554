#include <fmt/format.h>
#include "lab/files/starter.h"
#include "lab/kernel/kernel.h"
namespace touchstone::lab {
std::string StarterInCuda(const OpSpec& op, const std::string&) {
  throw KernelUnavailable(fmt::format("there is no CUDA starter for {} yet", op.name));
}
}  // namespace touchstone::lab
