// The 256-lane row reduction (rule N4): the order of every reduction of a row to one number for
// which no other rule writes an order.
//
//   lanes   256, each starting at +0; element i joins lane i mod 256, i ascending
//   fold    lane j += lane j + 128, then 64, 32, 16, 8, 4, 2, 1
//
// Binary32. A mean is the sum divided by float(n), one IEEE division.
#pragma once

#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>

#include "reference/formats/host_device.h"

namespace touchstone {

inline constexpr int64_t kLanes = 256;

// join(lane value, i) gives the lane's new value; fold(low, high) joins two lanes.
// [doc: lanes]
template <typename Join, typename Fold>
float ReduceInLanes(int64_t extent, Join join, Fold fold) {
  std::array<float, kLanes> lane{};
  for (int64_t i = 0; i < extent; ++i) {
    float& mine = lane[static_cast<size_t>(i % kLanes)];
    mine = join(mine, i);
  }
  for (size_t half = kLanes / 2; half >= 1; half /= 2) {
    for (size_t j = 0; j < half; ++j) lane[j] = fold(lane[j], lane[j + half]);
  }
  return lane[0];
}

// sum over i of x(i)^2, a chain of fma in each lane.
template <typename X>
float SumOfSquares(int64_t extent, X x) {
  return ReduceInLanes(
      extent, [&x](float lane, int64_t i) { return std::fma(x(i), x(i), lane); },
      [](float low, float high) { return low + high; });
}

// sum over i of x(i).
template <typename X>
float Sum(int64_t extent, X x) {
  return ReduceInLanes(
      extent, [&x](float lane, int64_t i) { return lane + x(i); },
      [](float low, float high) { return low + high; });
}

// Rule N6: a NaN beats all; -0 equals +0.
TOUCHSTONE_HOST_DEVICE inline float Maximum(float a, float b) {
  if (a != a) return a;
  if (b != b) return b;
  return a < b ? b : a;
}

// max over i of |x(i)|, +0 for an empty row.
template <typename X>
float AbsMax(int64_t extent, X x) {
  return ReduceInLanes(
      extent, [&x](float lane, int64_t i) { return Maximum(lane, std::fabs(x(i))); },
      [](float low, float high) { return Maximum(low, high); });
}
// [doc: end lanes]

}  // namespace touchstone
