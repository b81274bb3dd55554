// The extents of the vision tower of a Llama 4 checkpoint, and the tensors that follow from them:
// what is needed to list and to count them.
//
// P patch side, N patches of a tile with the class token, W width, F feed-forward width, L layers,
// A width of the adapter, C width of the text model. Names as Hugging Face has them.
//
//   vision_model.
//     class_embedding                        (W)
//     positional_embedding_vlm               (N, W)
//     patch_embedding.linear.weight          (W, channels P P)
//     layernorm_pre, layernorm_post          .weight (W), .bias (W)
//     model.layers.0.
//       input_layernorm, post_attention_layernorm   .weight (W), .bias (W)
//       self_attn.q_proj, k_proj, v_proj, o_proj    .weight (W, W), .bias (W)
//       mlp.fc1 .weight (F, W), .bias (F);  mlp.fc2 .weight (W, F), .bias (W)
//     vision_adapter.mlp.fc1.weight          (A, F)    F = W / pixel_shuffle_ratio^2
//     vision_adapter.mlp.fc2.weight          (A, A)
//   multi_modal_projector.linear_1.weight    (C, A)
//
// Checked against: transformers 5.23.0, models/llama4/modeling_llama4.py, on a checkpoint that it
// wrote; Scout's tower and text model together are the 108,641,793,536 parameters that transformers
// counts.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace touchstone::checkpoint {

struct VisionSizes {
  int64_t image_size = 0;  // pixels a side of a tile
  int64_t patch_size = 0;  // a divisor of image_size
  int64_t color_channels = 3;
  int64_t layers = 0;
  int64_t width = 0;
  int64_t heads = 0;               // a divisor of width
  int64_t feed_forward_width = 0;  // also what the pixel shuffle hands to the adapter
  int64_t adapter_width = 0;

  friend bool operator==(const VisionSizes&, const VisionSizes&) = default;
};

struct VisionTensor {
  std::string name;
  std::vector<int64_t> shape;
};

// Vectors of patches a tile, without the class token; and what is left of them after the shuffle.
int64_t PatchesOf(const VisionSizes& sizes);
int64_t ImageTokensOf(const VisionSizes& sizes);

std::vector<VisionTensor> VisionTensors(const VisionSizes& sizes, int64_t text_channels);
int64_t VisionParameterCount(const VisionSizes& sizes, int64_t text_channels);

// vision_config of config.json, or vision_args of params.json; none where the file has neither.
// Sizes are never guessed. Throws BadCheckpoint. `file` is the name that errors cite.
std::optional<VisionSizes> ReadVisionSizes(std::string_view json, const std::string& file);
std::optional<VisionSizes> ReadVisionSizesFile(const std::filesystem::path& path);

// The tower that Scout and Maverick share.
VisionSizes PublishedVision();

}  // namespace touchstone::checkpoint
