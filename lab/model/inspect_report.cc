#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "lab/model/inspect.h"
#include "reference/checkpoint/bad_checkpoint.h"

namespace touchstone::lab {
namespace {

using checkpoint::TextPart;
using nlohmann::ordered_json;

// ---- What both reports say ----

int64_t Elements(const std::vector<int64_t>& shape) {
  int64_t count = 1;
  for (const int64_t extent : shape) count *= extent;
  return count;
}

struct PartCount {
  TextPart part;
  int64_t all = 0;
  int64_t active = 0;  // that one token visits
};

std::vector<PartCount> CountParts(const InspectedModel& model) {
  constexpr std::array kParts{TextPart::kEmbedding,     TextPart::kNorms,  TextPart::kAttention,
                              TextPart::kDense,         TextPart::kRouter, TextPart::kSharedExperts,
                              TextPart::kRoutedExperts, TextPart::kLmHead};
  std::map<TextPart, int64_t> all;
  for (const auto& tensor : checkpoint::TextTensors(model.config.text, model.world)) {
    all[tensor.part] += Elements(tensor.shape);
  }
  std::vector<PartCount> parts;
  for (const TextPart part : kParts) {
    const int64_t count = all[part];
    if (count == 0) continue;
    const TextConfig& text = model.config.text;
    const bool is_routed = part == TextPart::kRoutedExperts;
    parts.push_back({part, count, is_routed ? count / text.experts * text.experts_a_token : count});
  }
  return parts;
}

// By the configuration, and of the stored tensors.
struct VisionCount {
  int64_t expected = 0, stored = 0;
};

VisionCount CountVision(const InspectedModel& model) {
  VisionCount count;
  if (model.vision) {
    count.expected = checkpoint::VisionParameterCount(*model.vision, model.config.text.channels);
  }
  if (!model.has_weights) return count;
  for (const InspectedTensor& tensor : model.tensors) {
    if (checkpoint::IsVisionTensor(tensor.name)) count.stored += Elements(tensor.shape);
  }
  return count;
}

struct StoredTotals {
  std::set<std::string> shards, dtypes;
  int64_t bytes = 0;
};

StoredTotals CountStored(const InspectedModel& model) {
  StoredTotals totals;
  for (const InspectedTensor& tensor : model.tensors) {
    totals.shards.insert(tensor.shard);
    totals.dtypes.insert(tensor.dtype);
    totals.bytes += tensor.bytes;
  }
  return totals;
}

bool AnyLayer(const TextConfig& text, bool is_moe) {
  return std::any_of(text.layers.begin(), text.layers.end(),
                     [is_moe](const TextLayer& layer) { return layer.is_moe == is_moe; });
}

struct Constant {
  std::string name;
  double value;
};

std::vector<Constant> Constants(const TextConfig& text) {
  std::vector<Constant> constants = {{"rms_norm_eps", text.rms_norm_eps},
                                     {"rope_theta", text.rope.theta}};
  if (text.rope.llama3) {
    constants.insert(constants.end(), {{"rope factor", text.rope.factor},
                                       {"rope low_freq_factor", text.rope.low},
                                       {"rope high_freq_factor", text.rope.high},
                                       {"rope original_max_position", text.rope.original}});
  }
  if (text.attn_temperature_tuning) {
    constants.insert(constants.end(), {{"temperature floor_scale", text.floor_scale},
                                       {"temperature attn_scale", text.attn_scale}});
  }
  return constants;
}

// ---- The text ----

std::string Grouped(int64_t number) {
  std::string digits = std::to_string(number);
  for (size_t at = digits.size(); at > 3;) digits.insert(at -= 3, ",");
  return digits;
}

// A name from a file, fit for a terminal.
std::string Printable(const std::string& name) {
  const bool is_plain =
      std::all_of(name.begin(), name.end(), [](char c) { return c > 0x20 && c < 0x7f; });
  return is_plain ? name : checkpoint::Quoted(name);
}

std::string ShowSizes(const TextConfig& text) {
  std::string shown = "sizes\n";
  const auto add = [&shown](char letter, const std::string& what, int64_t size) {
    shown += fmt::format("  {}  {:<32} {:>9}\n", letter, what, size);
  };
  add('V', "vocabulary", text.vocabulary);
  add('C', "width", text.channels);
  add('L', "layers", static_cast<int64_t>(text.layers.size()));
  add('H', "query heads", text.heads);
  add('G', "key/value heads", text.kv_heads);
  add('D', "head width", text.head_width);
  if (AnyLayer(text, false)) add('F', "feed-forward, dense layers", text.dense_width);
  if (!AnyLayer(text, true)) return shown;
  add('F', "feed-forward, each expert", text.expert_width);
  add('E', "routed experts a layer", text.experts);
  add('A', "routed experts a token", text.experts_a_token);
  return shown;
}

std::string ShowConstants(const TextConfig& text) {
  std::string shown = "constants, and the binary32 that the ops take (rule N12)\n";
  for (const Constant& constant : Constants(text)) {
    shown +=
        fmt::format("  {:<30} {:>10}  0x{:08x}\n", constant.name, fmt::format("{}", constant.value),
                    std::bit_cast<uint32_t>(static_cast<float>(constant.value)));
  }
  const auto add = [&shown](const char* name, const std::string& value) {
    shown += fmt::format("  {:<30} {:>10}\n", name, value);
  };
  add("rope scaling", text.rope.llama3 ? "llama3" : "none");
  add("QK norm", text.use_qk_norm ? "on" : "off");
  add("attention temperature", text.attn_temperature_tuning ? "on" : "off");
  add("attention chunk",
      text.attention_chunk_size == 0 ? "none" : fmt::format("{}", text.attention_chunk_size));
  add("lm_head", text.tied_lm_head ? "embedding" : "its own");
  return shown;
}

std::string ShowTokens(const checkpoint::SpecialTokens& tokens) {
  std::string shown;
  if (tokens.begin) shown += fmt::format("  begins a text  {}\n", *tokens.begin);
  if (!tokens.ends.empty())
    shown += fmt::format("  ends a text    {}\n", fmt::join(tokens.ends, ", "));
  if (tokens.image) shown += fmt::format("  image patch    {}\n", *tokens.image);
  return shown.empty() ? "" : "\ntokens\n" + shown;
}

std::string KindOf(const TextConfig& text, int64_t layer) {
  const TextLayer& kind = text.layers[static_cast<size_t>(layer)];
  const int64_t chunk = ChunkOf(text, layer);
  std::string shown = kind.has_rope ? "RoPE" : "NoPE";
  shown += chunk == 0 ? ", global attention" : fmt::format(", attention in chunks of {}", chunk);
  if (HasQkNorm(text, layer)) shown += ", QK norm";
  if (HasTemperature(text, layer)) shown += ", temperature";
  return shown + (kind.is_moe ? ", MoE" : ", dense");
}

std::string ShowLayers(const TextConfig& text) {
  std::vector<std::string> kinds;  // in the order in which they first occur
  std::map<std::string, std::vector<int64_t>> layers;
  for (int64_t l = 0; l < static_cast<int64_t>(text.layers.size()); ++l) {
    const std::string kind = KindOf(text, l);
    if (layers.count(kind) == 0) kinds.push_back(kind);
    layers[kind].push_back(l);
  }
  std::string shown = "layers\n";
  for (const std::string& kind : kinds) {
    shown +=
        fmt::format("  {:>4}  {:<28} {}\n", layers[kind].size(), LayerRanges(layers[kind]), kind);
  }
  return shown;
}

std::string ShowVision(const InspectedModel& model) {
  if (!model.vision) return "";
  const checkpoint::VisionSizes& sizes = *model.vision;
  return fmt::format(
      "\nvision\n  {} x {} pixels, {} colors, patches of {} x {}: {} patches and {} tokens a tile\n"
      "  {} layers, {} wide, {} heads, feed-forward {}; adapter {}\n",
      sizes.image_size, sizes.image_size, sizes.color_channels, sizes.patch_size, sizes.patch_size,
      checkpoint::PatchesOf(sizes), checkpoint::ImageTokensOf(sizes), sizes.layers, sizes.width,
      sizes.heads, sizes.feed_forward_width, sizes.adapter_width);
}

std::string ShowParameters(const InspectedModel& model) {
  std::string shown = fmt::format("{:<28} {:>19} {:>19}\n", "parameters", "all", "a token visits");
  const auto add = [&shown](std::string_view what, int64_t all, int64_t active) {
    shown += fmt::format("  {:<26} {:>19} {:>19}\n", what, Grouped(all), Grouped(active));
  };
  for (const PartCount& part : CountParts(model)) add(Name(part.part), part.all, part.active);
  const int64_t text = ParameterCount(model.config.text);
  add("text model", text, ActiveParameterCount(model.config.text));
  if (!model.vision) return shown;
  const int64_t vision = CountVision(model).expected;
  const auto add_all = [&shown](std::string_view what, int64_t all) {
    shown += fmt::format("  {:<26} {:>19}\n", what, Grouped(all));
  };
  add_all("vision and its projection", vision);
  add_all("text and vision", text + vision);
  return shown;
}

std::string ShowWeights(const InspectedModel& model) {
  if (!model.has_weights) return "";
  const StoredTotals totals = CountStored(model);
  std::string shown = fmt::format(
      "\nweights\n  {} tensors in {} {}, {} bytes, {}, with the names of {}\n"
      "  all tensors of the text model are there in shape, and no others\n",
      model.tensors.size(), totals.shards.size(), totals.shards.size() == 1 ? "file" : "files",
      Grouped(totals.bytes), fmt::join(totals.dtypes, " and "), Name(model.world));
  const VisionCount vision = CountVision(model);
  if (vision.stored != vision.expected) {
    shown += fmt::format("  the vision tensors hold {} numbers, not the {} of the configuration\n",
                         Grouped(vision.stored), Grouped(vision.expected));
  } else if (vision.stored != 0) {
    shown += "  the vision tensors hold as many numbers as the configuration gives\n";
  }
  return shown;
}

std::string ShowTensors(const InspectedModel& model) {
  std::string shown = "\ntensors\n";
  for (const InspectedTensor& tensor : model.tensors) {
    shown += fmt::format("  {} ({})", Printable(tensor.name), fmt::join(tensor.shape, ", "));
    if (model.has_weights) {
      shown += fmt::format(" {} {} bytes in {}", tensor.dtype, Grouped(tensor.bytes),
                           Printable(tensor.shard));
    }
    shown += "\n";
  }
  return shown;
}

// ---- JSON ----

ordered_json SizesJson(const TextConfig& text) {
  ordered_json sizes = {{"vocabulary", text.vocabulary}, {"channels", text.channels},
                        {"layers", text.layers.size()},  {"heads", text.heads},
                        {"kv_heads", text.kv_heads},     {"head_width", text.head_width}};
  if (AnyLayer(text, false)) sizes["dense_width"] = text.dense_width;
  if (AnyLayer(text, true)) {
    sizes["expert_width"] = text.expert_width;
    sizes["experts"] = text.experts;
    sizes["experts_a_token"] = text.experts_a_token;
  }
  return sizes;
}

ordered_json ConstantsJson(const TextConfig& text) {
  ordered_json rope = {{"theta", text.rope.theta}, {"llama3", text.rope.llama3}};
  if (text.rope.llama3) {
    rope["factor"] = text.rope.factor;
    rope["low_freq_factor"] = text.rope.low;
    rope["high_freq_factor"] = text.rope.high;
    rope["original_max_position_embeddings"] = text.rope.original;
  }
  return {{"rms_norm_eps", text.rms_norm_eps},
          {"rope", rope},
          {"use_qk_norm", text.use_qk_norm},
          {"attn_temperature_tuning", text.attn_temperature_tuning},
          {"floor_scale", text.floor_scale},
          {"attn_scale", text.attn_scale},
          {"attention_chunk_size", text.attention_chunk_size},
          {"tied_lm_head", text.tied_lm_head}};
}

ordered_json LayersJson(const TextConfig& text) {
  ordered_json layers = ordered_json::array();
  for (int64_t l = 0; l < static_cast<int64_t>(text.layers.size()); ++l) {
    const TextLayer& layer = text.layers[static_cast<size_t>(l)];
    layers.push_back({{"layer", l},
                      {"rope", layer.has_rope},
                      {"chunk", ChunkOf(text, l)},
                      {"qk_norm", HasQkNorm(text, l)},
                      {"temperature", HasTemperature(text, l)},
                      {"moe", layer.is_moe}});
  }
  return layers;
}

ordered_json VisionJson(const checkpoint::VisionSizes& sizes) {
  return {{"image_size", sizes.image_size},
          {"patch_size", sizes.patch_size},
          {"color_channels", sizes.color_channels},
          {"layers", sizes.layers},
          {"width", sizes.width},
          {"heads", sizes.heads},
          {"feed_forward_width", sizes.feed_forward_width},
          {"adapter_width", sizes.adapter_width},
          {"tokens_a_tile", checkpoint::ImageTokensOf(sizes)}};
}

ordered_json ParametersJson(const InspectedModel& model) {
  ordered_json parts = ordered_json::object();
  for (const PartCount& part : CountParts(model)) {
    parts[std::string(Name(part.part))] = {{"all", part.all}, {"active", part.active}};
  }
  const int64_t text = ParameterCount(model.config.text);
  const VisionCount vision = CountVision(model);
  ordered_json parameters = {{"text", text},
                             {"text_active", ActiveParameterCount(model.config.text)},
                             {"parts", parts},
                             {"vision", vision.expected},
                             {"all", text + vision.expected}};
  if (model.has_weights) parameters["vision_stored"] = vision.stored;
  return parameters;
}

ordered_json TensorsJson(const InspectedModel& model) {
  ordered_json tensors = ordered_json::array();
  for (const InspectedTensor& tensor : model.tensors) {
    ordered_json one = {{"name", tensor.name}, {"shape", tensor.shape}};
    if (model.has_weights) {
      one["dtype"] = tensor.dtype;
      one["shard"] = tensor.shard;
      one["bytes"] = tensor.bytes;
    }
    tensors.push_back(std::move(one));
  }
  return tensors;
}

}  // namespace

std::string LayerRanges(const std::vector<int64_t>& layers) {
  struct Run {
    int64_t first, last;
  };
  std::vector<Run> runs;
  for (const int64_t layer : layers) {
    if (!runs.empty() && runs.back().last + 1 == layer) {
      runs.back().last = layer;
    } else {
      runs.push_back({layer, layer});
    }
  }
  const auto show = [](const Run& run) {
    return run.first == run.last ? std::to_string(run.first)
                                 : fmt::format("{}-{}", run.first, run.last);
  };
  bool is_periodic = runs.size() > 3;
  for (size_t i = 1; i < runs.size() && is_periodic; ++i) {
    is_periodic = runs[i].first - runs[i - 1].first == runs[1].first - runs[0].first &&
                  runs[i].last - runs[i - 1].last == runs[1].last - runs[0].last;
  }
  if (is_periodic) {
    return fmt::format("{}, {}, ..., {}", show(runs[0]), show(runs[1]), show(runs.back()));
  }
  std::vector<std::string> shown;
  for (const Run& run : runs) shown.push_back(show(run));
  return fmt::format("{}", fmt::join(shown, ", "));
}

std::string ShowModel(const InspectedModel& model, bool tensors) {
  const TextConfig& text = model.config.text;
  std::string shown = model.source + "\n\n" + ShowSizes(text) + "\n" + ShowConstants(text);
  if (!model.config.notes.empty()) shown += "\ndefaults taken\n";
  for (const std::string& note : model.config.notes) shown += "  " + note + "\n";
  shown += ShowTokens(model.config.tokens) + "\n" + ShowLayers(text) + ShowVision(model) + "\n" +
           ShowParameters(model) + ShowWeights(model);
  return tensors ? shown + ShowTensors(model) : shown;
}

std::string ModelJson(const InspectedModel& model, bool tensors) {
  const TextConfig& text = model.config.text;
  const checkpoint::SpecialTokens& tokens = model.config.tokens;
  ordered_json report = {{"source", model.source},
                         {"names", Name(model.world)},
                         {"sizes", SizesJson(text)},
                         {"constants", ConstantsJson(text)},
                         {"notes", model.config.notes},
                         {"layers", LayersJson(text)},
                         {"parameters", ParametersJson(model)}};
  report["tokens"] = {{"ends", tokens.ends}};
  if (tokens.begin) report["tokens"]["begin"] = *tokens.begin;
  if (tokens.image) report["tokens"]["image"] = *tokens.image;
  if (model.vision) report["vision"] = VisionJson(*model.vision);
  if (model.has_weights) {
    const StoredTotals totals = CountStored(model);
    report["weights"] = {{"tensors", model.tensors.size()},
                         {"shards", totals.shards.size()},
                         {"bytes", totals.bytes},
                         {"dtypes", totals.dtypes}};
  }
  if (tensors) report["tensors"] = TensorsJson(model);
  // Names and paths may hold any byte.
  return report.dump(2, ' ', true, ordered_json::error_handler_t::replace) + "\n";
}

}  // namespace touchstone::lab
