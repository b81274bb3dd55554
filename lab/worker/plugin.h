// A library with a kernel, loaded into this process. Nothing in it is believed to be well formed.
#pragma once

#include <string>

#include "lab/include/touchstone.h"
#include "lab/worker/protocol.h"

namespace touchstone::lab {

// Loads the library and reads the kernel behind `symbol` into `loaded`. Returns the kernel, or null
// where loaded->loading says why there is none that can be called. The library's own constructors run
// here, with all that they may do to this process.
const touchstone_kernel* LoadPlugin(const std::string& library, const std::string& symbol,
                                    Loaded* loaded);

}  // namespace touchstone::lab
