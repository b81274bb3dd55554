// What the machine can do at most, by loops of our own: the two limits that a kernel is measured
// against. Both run in the same round as the kernels.
#pragma once

#include <cstdint>

namespace touchstone::bench {

// Independent chains of fma in registers; returns a number that depends on all. One call of `steps`
// makes FmaFlops(steps) floating-point operations on each of `threads` threads.
float FmaLoop(int64_t steps, int threads);
double FmaFlops(int64_t steps);

// Reads the memory once, in whole words of 4 bytes, on `threads` threads; returns a number that
// depends on all.
float ReadLoop(const void* from, int64_t bytes, int threads);

// Copies, past the caches where `past_caches`; one thread.
void CopyLoop(const void* from, void* to, int64_t bytes, bool past_caches);

}  // namespace touchstone::bench
