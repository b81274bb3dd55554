// What a report says of the machine that it was made on.
#pragma once

#include <cstdint>
#include <string>

namespace touchstone::bench {

struct Machine {
  std::string processor;  // its model name
  int cores = 1;
  std::string caches;    // "L1d 32 KiB, L2 512 KiB, L3 32768 KiB"
  std::string governor;  // "unknown" where the kernel does not say
  double load = 0.0;     // of the last minute: other work on the machine
  std::string date;      // "2026-11-28", UTC
};

Machine ThisMachine();
int64_t LastCacheBytes();  // 32 MiB where the system does not say

}  // namespace touchstone::bench
