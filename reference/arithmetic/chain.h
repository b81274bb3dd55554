// The sliced chain (rule N3): the order of every contraction over k.
//
//   slice sum  acc = +0; for k ascending in the slice: acc = fma(a[k], b[k], acc)
//   total      the first slice's sum; each later slice's sum is added to it, ascending
//
// Slices are cut by absolute k, 512 long. K = 0 gives +0. Binary32 throughout. Subnormals are kept;
// infinities and NaN follow IEEE-754.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "reference/formats/host_device.h"

namespace touchstone {

inline constexpr int64_t kSliceLength = 512;

// sum over k of a(k) * b(k), both binary32.
// [doc: chain]
template <typename A, typename B>
float Chain(int64_t extent, A a, B b) {
  float total = 0.0f;
  for (int64_t begin = 0; begin < extent; begin += kSliceLength) {
    const int64_t end = std::min(extent, begin + kSliceLength);
    float sum = 0.0f;
    for (int64_t k = begin; k < end; ++k) sum = std::fma(a(k), b(k), sum);
    total = begin == 0 ? sum : total + sum;
  }
  return total;
}
// [doc: end chain]

}  // namespace touchstone
