// One header serves host and device: the marks that CUDA needs, and nothing elsewhere. Every header
// that computes includes it, so that a compiler told to change bits is refused here (rule N1).
#pragma once

#if defined(__FAST_MATH__)
#error "Touchstone defines every bit: it cannot be built with -ffast-math or -Ofast."
#endif
#if defined(__FINITE_MATH_ONLY__) && __FINITE_MATH_ONLY__
#error "Touchstone defines every bit: it cannot be built with -ffinite-math-only (fast-math)."
#endif
#if defined(__FLT_EVAL_METHOD__) && __FLT_EVAL_METHOD__ != 0
#error "Touchstone defines every bit: float must be computed as binary32, not in a wider format."
#endif

#ifdef __CUDACC__
#define TOUCHSTONE_HOST_DEVICE __host__ __device__
#else
#define TOUCHSTONE_HOST_DEVICE
#endif
