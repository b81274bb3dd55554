#include "lab/recording/activation.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <span>

#include "reference/formats/require.h"
#include "reference/model/activation_paths.h"

namespace touchstone::lab {
namespace {

struct PathRow {
  std::string_view name, letters, op;
};

// In forward order.
constexpr std::array kBefore = {
    PathRow{"embedding", "C", "embedding"},
    PathRow{"fused_embedding", "C", "images"},
    PathRow{"rope_table", "JP", "rope_table"},
};
constexpr std::array kInLayer = {
    PathRow{"attention_norm", "C", "rmsnorm"},
    PathRow{"attention/q", "HD", "linear"},
    PathRow{"attention/k", "GD", "linear"},
    PathRow{"attention/v", "GD", "linear"},
    PathRow{"attention/q_rope", "HD", "rope"},
    PathRow{"attention/k_rope", "GD", "rope"},
    PathRow{"attention/q_norm", "HD", "qk_norm"},
    PathRow{"attention/k_norm", "GD", "qk_norm"},
    PathRow{"attention/q_temperature", "HD", "temperature"},
    PathRow{"attention/q_final", "HD", "as attention takes it"},
    PathRow{"attention/heads", "HD", "attention"},
    PathRow{"attention/output", "C", "linear"},
    PathRow{"attention_residual", "C", "residual_add"},
    PathRow{"feed_forward_norm", "C", "rmsnorm"},
    PathRow{"feed_forward/gate", "F", "linear"},
    PathRow{"feed_forward/up", "F", "linear"},
    PathRow{"feed_forward/activation", "F", "swiglu"},
    PathRow{"feed_forward/router_logits", "E", "linear"},
    PathRow{"feed_forward/chosen", "A", "router"},
    PathRow{"feed_forward/scores", "A", "router"},
    PathRow{"feed_forward/expert_input", "AC", "dispatch"},
    PathRow{"feed_forward/expert_gate", "AF", "expert_linear"},
    PathRow{"feed_forward/expert_up", "AF", "expert_linear"},
    PathRow{"feed_forward/expert_activation", "AF", "swiglu"},
    PathRow{"feed_forward/expert_down", "AC", "expert_linear"},
    PathRow{"feed_forward/routed", "C", "combine"},
    PathRow{"feed_forward/shared_gate", "F", "linear"},
    PathRow{"feed_forward/shared_up", "F", "linear"},
    PathRow{"feed_forward/shared_activation", "F", "swiglu"},
    PathRow{"feed_forward/shared", "C", "linear"},
    PathRow{"feed_forward/output", "C", "linear or residual_add"},
    PathRow{"output", "C", "residual_add"},
};
constexpr std::array kAfter = {
    PathRow{"final_norm", "C", "rmsnorm"},
    PathRow{"output/logits", "V", "logits"},
};

std::optional<Activation> FindIn(std::span<const PathRow> rows, std::string_view name,
                                 int64_t layer) {
  const auto row =
      std::find_if(rows.begin(), rows.end(), [&](const PathRow& r) { return r.name == name; });
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
