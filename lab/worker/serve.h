// The worker: loads a kernel and calls it as often as the lab asks.
#pragma once

#include <cstdint>
#include <string>

namespace touchstone::lab {

struct ServeOptions {
  std::string library, symbol;
  int64_t memory_bytes = 0;
};

// Answers requests on kChannelFd until the lab hangs up. Does not return.
[[noreturn]] void Serve(const ServeOptions& options);

}  // namespace touchstone::lab
