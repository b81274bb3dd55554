// Names of cases come from the command line and from reports: any bytes must give a case or a
// UsageError, and a case's own name must give the case again.
#include <cstdint>
#include <cstdlib>
#include <string>

#include "lab/errors.h"
#include "lab/spec.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace touchstone::lab;
  const auto& ops = AllOps();
  if (size == 0) return 0;
  const OpSpec& op = *ops[data[0] % ops.size()];
  const std::string name(reinterpret_cast<const char*>(data) + 1, size - 1);
  try {
    const Case c = CaseFromName(op, name);
    if (CaseFromName(op, c.Name()).Name() != c.Name()) std::abort();
  } catch (const UsageError&) {
  }
  return 0;
}
