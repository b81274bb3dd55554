#include "reference/checkpoint/config_json.h"

#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>

#include "reference/checkpoint/bad_checkpoint.h"
#include "reference/checkpoint/json_object.h"

namespace touchstone::checkpoint {
namespace {

using nlohmann::json;

// 1024 layers of 4096 experts of 3 * 2^36 parameters are below 2^60.
constexpr WholeRange kLayers{1, 1 << 10};
constexpr WholeRange kWidth{1, 1 << 18};  // channels and feed-forward widths
constexpr WholeRange kUnusedWidth{0, kWidth.most};
constexpr WholeRange kHeads{1, 1 << 12};
constexpr WholeRange kExperts{1, 1 << 12};
constexpr WholeRange kUnusedExperts{0, kExperts.most};
constexpr WholeRange kVocabulary{1, (int64_t{1} << 23) - 1};  // sampling takes no more
constexpr WholeRange kInterval{1, (int64_t{1} << 31) - 1};
constexpr WholeRange kChunk{0, (int64_t{1} << 31) - 1};

constexpr double kEps = 1e-5;
constexpr double kTheta = 500000.0;
constexpr double kFloorScale = 8192.0;
constexpr double kAttnScale = 0.1;

using Notes = std::vector<std::string>;

void NoteDefault(Notes& notes, const std::string& file, const std::string& key,
                 const std::string& taken, const std::string& world, const std::string& other) {
  notes.push_back(file + ": " + key + " is absent; taken as " + taken + ", the default of " +
                  world + " (" + other + ")");
}

// theta as op rope_frequencies takes it.
double Theta(const JsonObject& object) {
  const double theta = object.Positive("rope_theta", kTheta);
  const float rounded = static_cast<float>(theta);
  if (!(1.0f < rounded && rounded <= 0x1p40f)) {
    object.Refuse("rope_theta", "a number above 1, at most 2^40");
  }
  return theta;
}

int64_t EvenHeadWidth(const JsonObject& object, const std::string& key) {
  const int64_t width = object.Whole(key, kHeads);
  if (width % 2 != 0) object.Refuse(key, "an even number: RoPE turns pairs");
  return width;
}

// C / H, for files that do not say D.
int64_t SharedHeadWidth(const JsonObject& object, const std::string& channels_key,
                        const std::string& heads_key, const TextConfig& text) {
  if (text.channels % (2 * text.heads) != 0) {
    object.Refuse(channels_key, "an even multiple of " + heads_key + " (" +
                                    std::to_string(text.heads) +
                                    ") where head_dim does not say otherwise");
  }
  const int64_t width = text.channels / text.heads;
  if (width > kHeads.most) {
    object.Refuse(channels_key, "heads of at most " + std::to_string(kHeads.most));
  }
  return width;
}

void RequireGroups(const JsonObject& object, const std::string& heads_key,
                   const std::string& kv_heads_key, const TextConfig& text) {
  if (text.heads % text.kv_heads != 0) {
    object.Refuse(kv_heads_key,
                  "a divisor of " + heads_key + " (" + std::to_string(text.heads) + ")");
  }
}

bool AnyLayer(const TextConfig& text, bool is_moe) {
  for (const TextLayer& layer : text.layers) {
    if (layer.is_moe == is_moe) return true;
  }
  return false;
}

// ---- Hugging Face ----

TextRope ReadScaling(const JsonObject& scaling, double theta) {
  TextRope rope;
  rope.theta = theta;
  const std::string key = scaling.Present("rope_type") ? "rope_type" : "type";
  if (!scaling.Present(key)) scaling.Refuse("rope_type", "llama3 or default");
  const std::string type = scaling.Text(key);
  if (type == "default") return rope;
  if (type != "llama3") scaling.Refuse(key, "llama3 or default");
  rope.llama3 = true;
  rope.factor = scaling.Positive("factor");
  // It slows the long wavelengths down; below 1 angles would outgrow what a table holds.
  if (rope.factor < 1.0) scaling.Refuse("factor", "1 or more");
  rope.low = scaling.Positive("low_freq_factor");
  rope.high = scaling.Positive("high_freq_factor");
  rope.original = scaling.Positive("original_max_position_embeddings");
  return rope;
}

// The newer key rope_parameters, or the older pair rope_theta and rope_scaling; both may be there.
TextRope ReadRope(const JsonObject& object) {
  TextRope old_rope;
  old_rope.theta = Theta(object);
  if (object.Given("rope_scaling")) {
    old_rope = ReadScaling(object.Object("rope_scaling"), old_rope.theta);
  }
  if (!object.Given("rope_parameters")) return old_rope;

  const JsonObject parameters = object.Object("rope_parameters");
  const bool theta_inside = parameters.Present("rope_theta");
  const TextRope rope = ReadScaling(parameters, theta_inside ? Theta(parameters) : old_rope.theta);
  if (object.Present("rope_theta") && rope.theta != old_rope.theta) {
    object.Refuse("rope_theta", "the theta of rope_parameters");
  }
  if (object.Present("rope_scaling")) {
    old_rope.theta = rope.theta;
    if (!(rope == old_rope)) object.Refuse("rope_scaling", "the scaling of rope_parameters");
  }
  return rope;
}

void RequireLength(const JsonObject& object, const std::string& key, size_t layers) {
  const size_t entries = object.List(key).size();
  if (entries != layers) {
    object.Refuse(key, "one entry a layer: num_hidden_layers is " + std::to_string(layers) +
                           ", found " + std::to_string(entries));
  }
}

void ReadNoRopeLayers(const JsonObject& object, TextConfig& text) {
  // The name is inverted: 1 has RoPE. An empty list, as first published, says nothing.
  const std::string key = "no_rope_layers";
  const int64_t interval = object.Whole("no_rope_layer_interval", kInterval, 4);
  text.layers = PatternedLayers(static_cast<int64_t>(text.layers.size()), interval, false, 0);
  if (!object.Given(key) || object.List(key).empty()) return;
  RequireLength(object, key, text.layers.size());
  for (size_t l = 0; l < text.layers.size(); ++l) {
    const json& entry = object.List(key)[l];
    if (!entry.is_number_integer() || (entry != 0 && entry != 1)) {
      object.RefuseEntry(key, l, "1 (the layer has RoPE) or 0");
    }
    text.layers[l].has_rope = entry == 1;
  }
}

void ReadLayerTypes(const JsonObject& object, TextConfig& text) {
  const std::string key = "layer_types";
  for (TextLayer& layer : text.layers) {
    layer.is_chunked = layer.has_rope && text.attention_chunk_size > 0;
  }
  if (!object.Given(key)) return;
  RequireLength(object, key, text.layers.size());
  for (size_t l = 0; l < text.layers.size(); ++l) {
    const json& entry = object.List(key)[l];
    if (entry != "chunked_attention" && entry != "full_attention") {
      object.RefuseEntry(key, l, "chunked_attention or full_attention");
    }
    text.layers[l].is_chunked = entry == "chunked_attention";
    if (!text.layers[l].is_chunked) continue;  // may be so in a layer with RoPE, too
    if (text.attention_chunk_size == 0) {
      object.RefuseEntry(key, l, "full_attention: attention_chunk_size is null or 0");
    }
    if (!text.layers[l].has_rope) {
      object.RefuseEntry(key, l, "full_attention: by no_rope_layers the layer has no RoPE");
    }
  }
}

void ReadMoeLayers(const JsonObject& object, TextConfig& text) {
  const std::string key = "moe_layers";
  if (!object.Given(key)) {
    const int64_t step = object.Whole("interleave_moe_layer_step", kInterval, 1);
    for (size_t l = 0; l < text.layers.size(); ++l) {
      text.layers[l].is_moe = (static_cast<int64_t>(l) + 1) % step == 0;
    }
    return;
  }
  // Final, even where it is empty; dense models have a step of 0 beside it.
  object.Whole("interleave_moe_layer_step", {0, kInterval.most}, 1);
  const json& list = object.List(key);
  for (size_t i = 0; i < list.size(); ++i) {
    const std::string expected =
        "a layer from 0 to " + std::to_string(text.layers.size() - 1) + ", each once";
    if (!list[i].is_number_unsigned() || list[i].get<uint64_t>() >= text.layers.size()) {
      object.RefuseEntry(key, i, expected);
    }
    TextLayer& layer = text.layers[list[i].get<size_t>()];
    if (layer.is_moe) object.RefuseEntry(key, i, expected);
    layer.is_moe = true;
  }
}

void ReadFeedForward(const JsonObject& object, TextConfig& text) {
  const bool dense = AnyLayer(text, false), moe = AnyLayer(text, true);
  text.dense_width = dense ? object.Whole("intermediate_size_mlp", kWidth)
                           : object.Whole("intermediate_size_mlp", kUnusedWidth, 0);
  if (!moe) {
    text.experts = object.Whole("num_local_experts", kUnusedExperts, 0);
    text.experts_a_token = object.Whole("num_experts_per_tok", kUnusedExperts, 0);
    text.expert_width = object.Whole("intermediate_size", kUnusedWidth, 0);
    return;
  }
  text.experts = object.Whole("num_local_experts", kExperts);
  text.experts_a_token = object.Whole("num_experts_per_tok", {1, text.experts}, 1);
  text.expert_width = object.Whole("intermediate_size", kWidth);
}

void ReadHeadWidth(const JsonObject& object, TextConfig& text) {
  if (object.Given("head_dim")) {
    text.head_width = EvenHeadWidth(object, "head_dim");
    return;
  }
  text.head_width = SharedHeadWidth(object, "hidden_size", "num_attention_heads", text);
  // null is C / H in both worlds; absent is 128 in transformers.
  if (!object.Present("head_dim") && text.head_width != 128) {
    object.Refuse("head_dim", "its value: hidden_size / num_attention_heads is " +
                                  std::to_string(text.head_width) +
                                  ", but the default of Hugging Face is 128");
  }
}

bool ReadTemperatureTuning(const JsonObject& object, const std::string& file, Notes& notes) {
  const std::string key = "attn_temperature_tuning";
  if (!object.Present(key)) {
    NoteDefault(notes, file, key, "true", "Hugging Face, whose file this is", "Meta's is false");
    return true;
  }
  const std::string expected = "true, false or a number (4 as first published; 0 is off)";
  const json& value = object.At(key, expected);
  if (value.is_boolean()) return value.get<bool>();
  if (!value.is_number()) object.Refuse(key, expected);
  return object.NotNegative(key) != 0.0;
}

void ReadAttentionDefaults(const JsonObject& object, const std::string& file, TextConfig& text,
                           Notes& notes) {
  if (object.Given("attention_chunk_size")) {
    text.attention_chunk_size = object.Whole("attention_chunk_size", kChunk);
  } else if (!object.Present("attention_chunk_size")) {
    text.attention_chunk_size = 8192;
    NoteDefault(notes, file, "attention_chunk_size", "8192", "Hugging Face, whose file this is",
                "Meta's is none");
  }
  if (!object.Present("use_qk_norm")) {
    NoteDefault(notes, file, "use_qk_norm", "true", "Hugging Face, whose file this is",
                "Meta's is false");
  }
  text.use_qk_norm = object.Boolean("use_qk_norm", true);
  text.attn_temperature_tuning = ReadTemperatureTuning(object, file, notes);
  text.floor_scale = object.Positive("floor_scale", kFloorScale);
  text.attn_scale = object.NotNegative("attn_scale", kAttnScale);
}

// What this text model never has; a file that has it describes another model.
void RequireLlama4(const JsonObject& object) {
  if (object.Present("model_type") && object.Text("model_type") != "llama4_text") {
    object.Refuse("model_type", "llama4_text");
  }
  if (object.Present("hidden_act") && object.Text("hidden_act") != "silu") {
    object.Refuse("hidden_act", "silu");
  }
  if (object.Boolean("attention_bias", false)) object.Refuse("attention_bias", "false");
}

bool ReadTied(const JsonObject& top, const JsonObject& object) {
  const std::string key = "tie_word_embeddings";
  const bool tied = object.Boolean(key, top.Boolean(key, false));
  if (tied != top.Boolean(key, tied)) top.Refuse(key, "the same as in text_config");
  return tied;
}

// ---- Meta ----

// Truncates as Python's int() does.
int64_t Truncated(const JsonObject& object, const std::string& key, double value) {
  constexpr double kMost = 0x1p40;
  if (!(value >= 0.0 && value <= kMost)) object.Refuse(key, "a feed-forward width below 2^40");
  return static_cast<int64_t>(value);
}

int64_t RoundedUp(const JsonObject& object, double width, int64_t multiple_of) {
  const int64_t whole = Truncated(object, "ffn_dim_multiplier", width);
  const int64_t rounded = (whole + multiple_of - 1) / multiple_of * multiple_of;
  if (rounded < kWidth.least || rounded > kWidth.most) {
    object.Refuse("ffn_dim_multiplier", "a feed-forward width from 1 to " +
                                            std::to_string(kWidth.most) + ", not " +
                                            std::to_string(rounded));
  }
  return rounded;
}

// Two thirds of `width`, as both kinds of layer begin, then the multiplier.
double Multiplied(const JsonObject& object, int64_t width) {
  const int64_t two_thirds = Truncated(object, "ffn_exp", 2.0 * static_cast<double>(width) / 3.0);
  if (!object.Given("ffn_dim_multiplier")) return static_cast<double>(two_thirds);
  const double product = object.Positive("ffn_dim_multiplier") * static_cast<double>(two_thirds);
  return static_cast<double>(Truncated(object, "ffn_dim_multiplier", product));
}

void ReadMetaFeedForward(const JsonObject& params, TextConfig& text) {
  const int64_t multiple_of = params.Whole("multiple_of", kWidth, 256);
  // A dense layer starts from 4 C, whatever ffn_exp says.
  text.dense_width = RoundedUp(params, Multiplied(params, 4 * text.channels), multiple_of);
  if (!params.Given("moe_args")) return;

  const JsonObject moe = params.Object("moe_args");
  text.experts = moe.Whole("num_experts", kExperts);
  text.experts_a_token = moe.Whole("top_k", {1, text.experts}, 1);
  const double expanded = params.Positive("ffn_exp") * static_cast<double>(text.channels);
  params.Positive("ffn_dim_multiplier");  // may be null in a dense model only
  double width = Multiplied(params, Truncated(params, "ffn_exp", expanded));
  const double capacity = moe.NotNegative("capacity_factor", 1.0);
  if (moe.Boolean("auto_scale_F", true)) width /= capacity + 1.0;
  text.expert_width = RoundedUp(params, width, multiple_of);
}

TextRope ReadMetaRope(const JsonObject& params, const std::string& file, Notes& notes) {
  TextRope rope;
  rope.theta = Theta(params);
  rope.llama3 = params.Boolean("use_scaled_rope", false);
  if (!rope.llama3) return rope;
  const auto read = [&](const std::string& key, double meta, const std::string& other) {
    if (params.Given(key)) return params.Positive(key);
    NoteDefault(notes, file, key, other == "8" ? "16" : "1", "Meta, whose file this is",
                "Hugging Face's converter takes " + other + ", as Scout was first published");
    return meta;
  };
  rope.factor = read("rope_scaling_factor", 16.0, "8");
  rope.high = read("rope_high_freq_factor", 1.0, "4");
  return rope;
}

void ReadMetaLayers(const JsonObject& params, const std::string& file, TextConfig& text,
                    Notes& notes) {
  const auto absent = [&](const std::string& key, const std::string& other) {
    if (params.Present(key)) return;
    NoteDefault(notes, file, key, "none", "Meta, whose file this is", "Hugging Face's is " + other);
  };
  absent("nope_layer_interval", "4");
  absent("attention_chunk_size", "8192");
  const int64_t interval =
      params.Given("nope_layer_interval") ? params.Whole("nope_layer_interval", kInterval) : 0;
  if (params.Given("attention_chunk_size")) {
    text.attention_chunk_size = params.Whole("attention_chunk_size", kChunk);
  }
  const int64_t step =
      params.Given("moe_args")
          ? params.Object("moe_args").Whole("interleave_moe_layer_step", kInterval, 1)
          : 0;
  text.layers = PatternedLayers(params.Whole("n_layers", kLayers), interval,
                                text.attention_chunk_size > 0, step);
}

TextConfigRead FromHuggingFace(const json& config, const std::string& file) {
  const JsonObject top(config, file);
  const bool nested = top.Present("text_config");
  if (nested && top.Present("model_type") && top.Text("model_type") != "llama4") {
    top.Refuse("model_type", "llama4");
  }
  const JsonObject object = nested ? top.Object("text_config") : top;
  RequireLlama4(object);

  TextConfigRead read;
  TextConfig& text = read.text;
  text.layers.resize(static_cast<size_t>(object.Whole("num_hidden_layers", kLayers)));
  text.vocabulary = object.Whole("vocab_size", kVocabulary);
  text.channels = object.Whole("hidden_size", kWidth);
  text.heads = object.Whole("num_attention_heads", kHeads);
  const bool no_groups =
      object.Present("num_key_value_heads") && !object.Given("num_key_value_heads");
  text.kv_heads = no_groups ? text.heads : object.Whole("num_key_value_heads", kHeads);
  RequireGroups(object, "num_attention_heads", "num_key_value_heads", text);
  ReadHeadWidth(object, text);
  text.rms_norm_eps = object.Positive("rms_norm_eps", kEps);
  text.rope = ReadRope(object);
  ReadAttentionDefaults(object, file, text, read.notes);
  ReadNoRopeLayers(object, text);
  ReadLayerTypes(object, text);
  ReadMoeLayers(object, text);
  ReadFeedForward(object, text);
  text.tied_lm_head = ReadTied(top, object);
  read.tokens = ReadSpecialTokens(config, file, text.vocabulary, &read.notes);
  return read;
}

TextConfigRead FromMeta(const json& config, const std::string& file) {
  const JsonObject params(config, file);
  TextConfigRead read;
  read.is_meta = true;
  TextConfig& text = read.text;
  text.vocabulary = params.Whole("vocab_size", kVocabulary);
  text.channels = params.Whole("dim", kWidth);
  text.heads = params.Whole("n_heads", kHeads);
  text.kv_heads = params.Whole("n_kv_heads", kHeads);
  RequireGroups(params, "n_heads", "n_kv_heads", text);
  // Meta's attention takes C / H, whatever head_dim says.
  text.head_width = SharedHeadWidth(params, "dim", "n_heads", text);
  if (params.Given("head_dim") && params.Whole("head_dim", kHeads) != text.head_width) {
    params.Refuse("head_dim", "dim / n_heads, " + std::to_string(text.head_width));
  }
  text.rms_norm_eps = params.Positive("norm_eps", kEps);
  text.rope = ReadMetaRope(params, file, read.notes);
  for (const char* key : {"use_qk_norm", "attn_temperature_tuning"}) {
    if (params.Present(key)) continue;
    NoteDefault(read.notes, file, key, "false", "Meta, whose file this is",
                "Hugging Face's is true");
  }
  text.use_qk_norm = params.Boolean("use_qk_norm", false);
  text.attn_temperature_tuning = params.Boolean("attn_temperature_tuning", false);
  text.floor_scale = params.Positive("floor_scale", kFloorScale);
  text.attn_scale = params.NotNegative("attn_scale", kAttnScale);
  ReadMetaLayers(params, file, text, read.notes);
  ReadMetaFeedForward(params, text);
  return read;
}

}  // namespace

TextConfigRead ReadHuggingFaceConfig(std::string_view json_text, const std::string& file) {
  return FromHuggingFace(ParseObject(json_text, file), file);
}

TextConfigRead ReadMetaParams(std::string_view json_text, const std::string& file) {
  return FromMeta(ParseObject(json_text, file), file);
}

TextConfigRead ReadConfigFile(const std::filesystem::path& path) {
  constexpr uintmax_t kLargest = 16 << 20;
  const std::string file = path.string();
  std::error_code failure;
  const uintmax_t size = std::filesystem::file_size(path, failure);
  if (failure) throw BadCheckpoint(file + ": " + failure.message() + "; expected a readable file");
  if (size > kLargest) {
    throw BadCheckpoint(file + ": " + std::to_string(size) + " bytes; expected at most 16 MiB");
  }
  std::ifstream stream(path, std::ios::binary);
  const std::string text{std::istreambuf_iterator<char>(stream), std::istreambuf_iterator<char>()};
  if (!stream || text.size() != size) {
    throw BadCheckpoint(file + ": cannot be read; expected " + std::to_string(size) + " bytes");
  }
  const json config = ParseObject(text, file);
  const bool meta = config.contains("dim") && config.contains("n_layers");
  return meta ? FromMeta(config, file) : FromHuggingFace(config, file);
}

}  // namespace touchstone::checkpoint
