// What a path of reference/model/activation_paths.h says about its tensor: layer, place in the
// forward order, axes.
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "reference/model/text_config.h"

namespace touchstone::lab {

// Sorts in forward order.
struct Activation {
  int64_t layer = -1;        // -1 before the first layer, kAfterLayers after the last
  size_t place = 0;          // within it
  std::string_view letters;  // of the axes after B and T: "HD"; P: cosine or sine
  std::string_view op;       // a row of reference/ops.def, or two where the layer's kind decides

  friend auto operator<=>(const Activation&, const Activation&) = default;
};

inline constexpr int64_t kAfterLayers = 1 << 20;

// Nothing where it is no such path. Two paths more are known here: fused_embedding, what enters
// layer 0 where images were given, and layer.NN/attention/q_final, q as attention takes it, which
// is another tensor's copy as soon as the model is known.
std::optional<Activation> FindActivation(std::string_view path);

// The number in a name, of one to four digits.
std::optional<int64_t> ParseIndex(std::string_view digits);

// The extents of those axes; the path is one of the model's.
std::vector<int64_t> ExtentsOf(const Activation& activation, const TextConfig& config);

// Token ids and expert numbers are i64, everything else is bf16 or f32.
bool IsInteger(std::string_view path);

}  // namespace touchstone::lab
