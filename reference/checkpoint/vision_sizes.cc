#include "reference/checkpoint/vision_sizes.h"

#include <nlohmann/json.hpp>
#include <utility>

#include "reference/checkpoint/bad_checkpoint.h"
#include "reference/checkpoint/json_object.h"
#include "reference/checkpoint/mapped_file.h"

namespace touchstone::checkpoint {
namespace {

// 1024 layers of 2^40 numbers, and 2^32 patches of 2^18, are far below 2^63.
constexpr WholeRange kImage{1, 1 << 16};
constexpr WholeRange kColors{1, 1 << 8};
constexpr WholeRange kLayers{1, 1 << 10};
constexpr WholeRange kWidth{1, 1 << 18};
constexpr WholeRange kFeedForward{1, 1 << 20};

void RequireDivisor(const JsonObject& object, const std::string& key, int64_t part,
                    const std::string& whole_key, int64_t whole) {
  if (whole % part == 0) return;
  object.Refuse(key, "a divisor of " + whole_key + " (" + std::to_string(whole) + ")");
}

// The adapter takes what the shuffle gives, and has the width of the feed-forward in both worlds.
void RequireShuffled(const JsonObject& object, const VisionSizes& sizes, double feed_forward) {
  const double ratio = object.Positive("pixel_shuffle_ratio");
  if (static_cast<double>(sizes.width) / (ratio * ratio) != feed_forward) {
    object.Refuse("pixel_shuffle_ratio", "one that makes vectors of the feed-forward's width " +
                                             std::to_string(sizes.feed_forward_width) + " from " +
                                             std::to_string(sizes.width));
  }
}

VisionSizes FromHuggingFace(const JsonObject& object) {
  VisionSizes sizes;
  sizes.image_size = object.Whole("image_size", kImage);
  sizes.patch_size = object.Whole("patch_size", kImage);
  sizes.color_channels = object.Whole("num_channels", kColors, 3);
  sizes.layers = object.Whole("num_hidden_layers", kLayers);
  sizes.width = object.Whole("hidden_size", kWidth);
  sizes.heads = object.Whole("num_attention_heads", kWidth);
  sizes.feed_forward_width = object.Whole("intermediate_size", kFeedForward);
  sizes.adapter_width = object.Whole("vision_output_dim", kWidth);
  for (const char* key : {"projector_input_dim", "projector_output_dim"}) {
    if (object.Whole(key, kWidth) != sizes.adapter_width) {
      object.Refuse(key, "vision_output_dim (" + std::to_string(sizes.adapter_width) + ")");
    }
  }
  RequireDivisor(object, "patch_size", sizes.patch_size, "image_size", sizes.image_size);
  RequireDivisor(object, "num_attention_heads", sizes.heads, "hidden_size", sizes.width);
  RequireShuffled(object, sizes, static_cast<double>(sizes.feed_forward_width));
  return sizes;
}

int64_t Side(const JsonObject& object, const std::string& key) {
  const JsonObject sides = object.Object(key);
  const int64_t height = sides.Whole("height", kImage);
  if (sides.Whole("width", kImage) != height) sides.Refuse("width", "the height: a square");
  return height;
}

VisionSizes FromMeta(const JsonObject& object) {
  VisionSizes sizes;
  sizes.image_size = Side(object, "image_size");
  sizes.patch_size = Side(object, "patch_size");
  sizes.layers = object.Whole("n_layers", kLayers);
  sizes.width = object.Whole("dim", kWidth);
  sizes.heads = object.Whole("n_heads", kWidth);
  sizes.adapter_width = object.Whole("output_dim", kWidth);
  const double feed_forward = object.Positive("mlp_ratio") * static_cast<double>(sizes.width);
  if (!(feed_forward >= 1.0 && feed_forward <= static_cast<double>(kFeedForward.most))) {
    object.Refuse("mlp_ratio", "a feed-forward width from 1 to 2^20");
  }
  sizes.feed_forward_width = static_cast<int64_t>(feed_forward);
  RequireDivisor(object, "patch_size", sizes.patch_size, "image_size", sizes.image_size);
  RequireDivisor(object, "n_heads", sizes.heads, "dim", sizes.width);
  RequireShuffled(object, sizes, feed_forward);
  return sizes;
}

}  // namespace

int64_t PatchesOf(const VisionSizes& sizes) {
  const int64_t side = sizes.image_size / sizes.patch_size;
  return side * side;
}

int64_t ImageTokensOf(const VisionSizes& sizes) {
  return PatchesOf(sizes) * sizes.width / sizes.feed_forward_width;
}

std::vector<VisionTensor> VisionTensors(const VisionSizes& sizes, int64_t text_channels) {
  const int64_t W = sizes.width, F = sizes.feed_forward_width, A = sizes.adapter_width;
  const int64_t N = PatchesOf(sizes) + 1, P = sizes.patch_size;
  const std::string tower = "vision_model.";
  std::vector<VisionTensor> tensors;
  const auto add = [&tensors](const std::string& name, std::vector<int64_t> shape) {
    tensors.push_back({name, std::move(shape)});
  };
  const auto add_biased = [&add](const std::string& name, std::vector<int64_t> shape) {
    const int64_t outputs = shape[0];
    add(name + ".weight", std::move(shape));
    add(name + ".bias", {outputs});
  };
  add(tower + "class_embedding", {W});
  add(tower + "positional_embedding_vlm", {N, W});
  add(tower + "patch_embedding.linear.weight", {W, sizes.color_channels * P * P});
  add_biased(tower + "layernorm_pre", {W});
  for (int64_t layer = 0; layer < sizes.layers; ++layer) {
    const std::string prefix = tower + "model.layers." + std::to_string(layer) + ".";
    add_biased(prefix + "input_layernorm", {W});
    for (const char* name : {"q_proj", "k_proj", "v_proj", "o_proj"}) {
      add_biased(prefix + "self_attn." + name, {W, W});
    }
    add_biased(prefix + "post_attention_layernorm", {W});
    add_biased(prefix + "mlp.fc1", {F, W});
    add_biased(prefix + "mlp.fc2", {W, F});
  }
  add_biased(tower + "layernorm_post", {W});
  add(tower + "vision_adapter.mlp.fc1.weight", {A, F});
  add(tower + "vision_adapter.mlp.fc2.weight", {A, A});
  add("multi_modal_projector.linear_1.weight", {text_channels, A});
  return tensors;
}

int64_t VisionParameterCount(const VisionSizes& sizes, int64_t text_channels) {
  int64_t count = 0;
  for (const VisionTensor& tensor : VisionTensors(sizes, text_channels)) {
    int64_t elements = 1;
    for (const int64_t extent : tensor.shape) elements *= extent;
    count += elements;
  }
  return count;
}

std::optional<VisionSizes> ReadVisionSizes(std::string_view json, const std::string& file) {
  const nlohmann::json config = ParseObject(json, file);
  const JsonObject top(config, file);
  if (top.Given("vision_config")) return FromHuggingFace(top.Object("vision_config"));
  if (top.Given("vision_args")) return FromMeta(top.Object("vision_args"));
  return std::nullopt;
}

std::optional<VisionSizes> ReadVisionSizesFile(const std::filesystem::path& path) {
  constexpr size_t kLargest = 16 << 20;
  const MappedFile file(path.string());
  if (file.bytes().size() > kLargest) {
    throw BadCheckpoint(path.string() + ": " + std::to_string(file.bytes().size()) +
                        " bytes; expected at most 16 MiB");
  }
  return ReadVisionSizes({reinterpret_cast<const char*>(file.bytes().data()), file.bytes().size()},
                         path.string());
}

VisionSizes PublishedVision() {
  VisionSizes sizes;
  sizes.image_size = 336;
  sizes.patch_size = 14;
  sizes.layers = 34;
  sizes.width = 1408;
  sizes.heads = 16;
  sizes.feed_forward_width = 5632;
  sizes.adapter_width = 4096;
  return sizes;
}

}  // namespace touchstone::checkpoint
