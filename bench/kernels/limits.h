// What the device can do at most, measured in the same run: the floors are made of these.
#pragma once

#include <functional>
#include <vector>

namespace touchstone::bench {

struct Limits {
  double copy_bytes = 0.0;     // a second, read and written, of a copy of 2 GiB
  double fma_flops = 0.0;      // a second, of independent chains of fma in registers
  double cublas_flops = 0.0;   // a second, of an 8192 cube in bf16 by cuBLAS; 0 without it
  double empty_seconds = 0.0;  // a launch that does nothing, timed as the kernels are
};
Limits MeasuredLimits();

// Fills the second-level cache with other bytes, in the current stream.
void FlushCache();

// Seconds of a call by events, the cache flushed before.
double TimedCall(const std::function<void()>& call);

struct Spread {
  double median = 0.0, lower = 0.0, upper = 0.0;  // quartiles
};
Spread SpreadOf(std::vector<double> seconds);

}  // namespace touchstone::bench
