// One header serves host and device: the marks that CUDA needs, and nothing elsewhere.
#pragma once

#if defined(__FAST_MATH__)
#error "Touchstone defines every bit: it cannot be built with -ffast-math or -Ofast."
#endif

#ifdef __CUDACC__
#define TOUCHSTONE_HOST_DEVICE __host__ __device__
#else
#define TOUCHSTONE_HOST_DEVICE
#endif
