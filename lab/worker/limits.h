// What the worker may take of the machine.
#pragma once

#include <cstdint>

namespace touchstone::lab {

// Lets this process take `bytes` of private memory beyond what it has, leaves no core file, and makes
// it the first to go where the machine runs out of memory. Programs built with the address sanitizer
// reserve terabytes, so there the limit of memory is left out. Memory that is shared on purpose
// (mmap with MAP_SHARED) is not counted by the system.
void LimitMemory(int64_t bytes);

// Sees to it that the process has at least `seconds` of processor time left, and not much more: what
// it starts and leaves behind ends some day, even where nobody kills it.
void AllowProcessorTime(double seconds);

}  // namespace touchstone::lab
