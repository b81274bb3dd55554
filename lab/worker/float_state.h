// The processor's floating-point modes: rounding, flushing of subnormals, traps.
#pragma once

#include <cstdint>

namespace touchstone::lab {

// Nearest even, subnormals kept, no traps: what a program starts with.
void ResetFloatState();

// What differs from that, as bits of FloatState (protocol.h), in the calling thread.
uint32_t ChangedFloatState();

}  // namespace touchstone::lab
