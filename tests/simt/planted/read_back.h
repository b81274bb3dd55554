// What the planted kernels have in common.
#pragma once

#include <cstddef>
#include <numeric>
#include <vector>

#include "kernels/simt/simt.cuh"
#include "tests/simt/planted/planted.h"

namespace touchstone::simt::planted {

struct Row {
  float value[kThreads];
};

// 0, 1, 2, ... on the device.
inline void Count(const DeviceBuffer<float>& buffer, size_t count) {
  std::vector<float> values(count);
  std::iota(values.begin(), values.end(), 0.0f);
  CopyToDevice(buffer.data(), values.data(), count * sizeof(float));
}

inline std::vector<float> ReadBack(const DeviceBuffer<float>& buffer, size_t count) {
  std::vector<float> values(count);
  CopyToHost(values.data(), buffer.data(), count * sizeof(float));
  return values;
}

}  // namespace touchstone::simt::planted
