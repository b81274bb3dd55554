#include "lab/recording/activation.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <span>

#include "reference/formats/require.h"
#include "reference/model/activation_paths.h"

namespace touchstone::lab {
namespace {

struct Row {
  std::string_view name, letters, op;
};

// In forward order.
constexpr std::array kBefore = {
    Row{"embedding", "C", "embedding"},
    Row{"fused_embedding", "C", "images"},
    Row{"rope_table", "JP", "rope_table"},
};
constexpr std::array kInLayer = {
    Row{"attention_norm", "C", "rmsnorm"},
    Row{"attention/q", "HD", "linear"},
    Row{"attention/k", "GD", "linear"},
    Row{"attention/v", "GD", "linear"},
    Row{"attention/q_rope", "HD", "rope"},
    Row{"attention/k_rope", "GD", "rope"},
    Row{"attention/q_norm", "HD", "qk_norm"},
    Row{"attention/k_norm", "GD", "qk_norm"},
    Row{"attention/q_temperature", "HD", "temperature"},
    Row{"attention/q_final", "HD", "as attention takes it"},
    Row{"attention/heads", "HD", "attention"},
    Row{"attention/output", "C", "linear"},
    Row{"attention_residual", "C", "residual_add"},
    Row{"feed_forward_norm", "C", "rmsnorm"},
    Row{"feed_forward/gate", "F", "linear"},
    Row{"feed_forward/up", "F", "linear"},
    Row{"feed_forward/activation", "F", "swiglu"},
    Row{"feed_forward/router_logits", "E", "linear"},
    Row{"feed_forward/chosen", "A", "router"},
    Row{"feed_forward/scores", "A", "router"},
    Row{"feed_forward/expert_input", "AC", "dispatch"},
    Row{"feed_forward/expert_gate", "AF", "expert_linear"},
    Row{"feed_forward/expert_up", "AF", "expert_linear"},
    Row{"feed_forward/expert_activation", "AF", "swiglu"},
    Row{"feed_forward/expert_down", "AC", "expert_linear"},
    Row{"feed_forward/routed", "C", "combine"},
    Row{"feed_forward/shared_gate", "F", "linear"},
    Row{"feed_forward/shared_up", "F", "linear"},
    Row{"feed_forward/shared_activation", "F", "swiglu"},
    Row{"feed_forward/shared", "C", "linear"},
    Row{"feed_forward/output", "C", "linear or residual_add"},
    Row{"output", "C", "residual_add"},
};
constexpr std::array kAfter = {
    Row{"final_norm", "C", "rmsnorm"},
    Row{"output/logits", "V", "logits"},
};

std::optional<Activation> FindIn(std::span<const Row> rows, std::string_view name, int64_t layer) {
  const auto row =
      std::find_if(rows.begin(), rows.end(), [&](const Row& r) { return r.name == name; });
  if (row == rows.end()) return std::nullopt;
  return Activation{layer, static_cast<size_t>(row - rows.begin()), row->letters, row->op};
}

}  // namespace

std::optional<int64_t> ParseIndex(std::string_view digits) {
  int64_t index = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), index);
  const bool whole = error == std::errc() && end == digits.data() + digits.size();
  if (!whole || digits.size() > 4 || index < 0) return std::nullopt;
  return index;
}

std::optional<Activation> FindActivation(std::string_view path) {
  constexpr std::string_view kLayer = "layer.";
  if (!path.starts_with(kLayer)) {
    const auto before = FindIn(kBefore, path, -1);
    return before ? before : FindIn(kAfter, path, kAfterLayers);
  }
  const size_t slash = path.find('/');
  if (slash == std::string_view::npos || slash < kLayer.size() + 2) return std::nullopt;
  const auto layer = ParseIndex(path.substr(kLayer.size(), slash - kLayer.size()));
  if (!layer || path.substr(0, slash) != LayerPath(*layer)) return std::nullopt;
  return FindIn(kInLayer, path.substr(slash + 1), *layer);
}

std::vector<int64_t> ExtentsOf(const Activation& activation, const TextConfig& config) {
  const auto layer = static_cast<size_t>(activation.layer);
  const bool is_moe = layer < config.layers.size() && config.layers[layer].is_moe;
  std::vector<int64_t> extents;
  for (const char letter : activation.letters) {
    switch (letter) {
      case 'A':
        extents.push_back(config.experts_a_token);
        break;
      case 'C':
        extents.push_back(config.channels);
        break;
      case 'D':
        extents.push_back(config.head_width);
        break;
      case 'E':
        extents.push_back(config.experts);
        break;
      case 'F':
        extents.push_back(is_moe ? config.expert_width : config.dense_width);
        break;
      case 'G':
        extents.push_back(config.kv_heads);
        break;
      case 'H':
        extents.push_back(config.heads);
        break;
      case 'J':
        extents.push_back(config.head_width / 2);
        break;
      case 'P':
        extents.push_back(2);
        break;
      case 'V':
        extents.push_back(config.vocabulary);
        break;
      default:
        TOUCHSTONE_REQUIRE(false);
    }
  }
  return extents;
}

bool IsInteger(std::string_view path) { return path.ends_with("/chosen"); }

}  // namespace touchstone::lab
