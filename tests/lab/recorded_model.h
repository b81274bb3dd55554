// A small model and files that record it, for the tests of lab/recording and lab/diff.
#pragma once

#include <cstdint>
#include <functional>
#include <numeric>
#include <string>
#include <vector>

#include "golden/hdf5_file.h"
#include "reference/model/text_config.h"

namespace touchstone::lab {

// Layer 0: RoPE, QK norm, MoE. Layer 1: temperature, MoE. Layer 2: RoPE, QK norm, dense.
inline TextConfig SmallConfig() {
  TextConfig config;
  config.vocabulary = 7;
  config.channels = 4;
  config.heads = 2;
  config.kv_heads = 1;
  config.head_width = 6;
  config.dense_width = 5;
  config.experts = 3;
  config.experts_a_token = 1;
  config.expert_width = 8;
  config.use_qk_norm = true;
  config.attn_temperature_tuning = true;
  config.layers = {{true, false, true}, {false, false, true}, {true, false, false}};
  return config;
}

// Elements that are all different, and other ones for each `seed`.
inline Tensor Filled(Dtype dtype, const std::vector<int64_t>& shape, int64_t seed) {
  Tensor tensor(dtype, shape);
  for (int64_t i = 0; i < tensor.count(); ++i) {
    tensor.SetReal(i, static_cast<float>(seed) + static_cast<float>(i) / 128.0f);
  }
  return tensor;
}

inline Tensor Integers(const std::vector<int64_t>& shape, const std::vector<int64_t>& values) {
  Tensor tensor(Dtype::kI64, shape);
  std::copy(values.begin(), values.end(), tensor.values<int64_t>());
  return tensor;
}

// Writes a file whose inputs are (B, T) = (2, 3), the second sequence of two tokens.
inline void WriteRecording(const std::string& file,
                           const std::function<void(golden::Writer* writer)>& write) {
  golden::Writer writer(file);
  writer.Write("input/input_ids", Integers({2, 3}, {1, 2, 3, 4, 5, 0}));
  writer.Write("input/lengths", Integers({2}, {3, 2}));
  write(&writer);
  writer.Close();
}

}  // namespace touchstone::lab
