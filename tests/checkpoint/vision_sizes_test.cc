#include "reference/checkpoint/vision_sizes.h"

#include <gtest/gtest.h>

#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "reference/checkpoint/text_tensors.h"
#include "reference/model/text_config.h"
#include "tests/checkpoint/written.h"

namespace touchstone::checkpoint {
namespace {

using nlohmann::json;

json Published() {
  return {{"vision_config",
           {{"image_size", 336},
            {"patch_size", 14},
            {"num_channels", 3},
            {"num_hidden_layers", 34},
            {"hidden_size", 1408},
            {"num_attention_heads", 16},
            {"intermediate_size", 5632},
            {"vision_output_dim", 4096},
            {"projector_input_dim", 4096},
            {"projector_output_dim", 4096},
            {"pixel_shuffle_ratio", 0.5}}}};
}

json PublishedMeta() {
  const json image = {{"height", 336}, {"width", 336}}, patch = {{"height", 14}, {"width", 14}};
  return {{"dim", 5120},
          {"n_layers", 48},
          {"vision_args",
           {{"image_size", image},
            {"patch_size", patch},
            {"dim", 1408},
            {"n_layers", 34},
            {"n_heads", 16},
            {"mlp_ratio", 4.0},
            {"output_dim", 4096},
            {"pixel_shuffle_ratio", 0.5}}}};
}

void Refused(const json& config, const std::string& text) {
  ExpectBad([&] { ReadVisionSizes(config.dump(), "file"); }, text);
}

TEST(VisionSizes, BothFilesGiveThePublishedTower) {
  EXPECT_EQ(ReadVisionSizes(Published().dump(), "file"), PublishedVision());
  EXPECT_EQ(ReadVisionSizes(PublishedMeta().dump(), "file"), PublishedVision());
  EXPECT_EQ(PatchesOf(PublishedVision()), 576);
  EXPECT_EQ(ImageTokensOf(PublishedVision()), 144);
}

// The whole of Scout as transformers counts it on shapes alone.
TEST(VisionSizes, ScoutIsAsManyParametersAsOthersCount) {
  EXPECT_EQ(ParameterCount(Scout()) + VisionParameterCount(PublishedVision(), Scout().channels),
            108'641'793'536);
}

// A tower with three layers that transformers 5.23.0 wrote: the number of its tensors and of the
// numbers in them, and some shapes that tell one extent from another.
TEST(VisionSizes, ATowerThatTransformersWrote) {
  VisionSizes sizes;
  sizes.image_size = 56;
  sizes.patch_size = 14;
  sizes.layers = 3;
  sizes.width = 96;
  sizes.heads = 4;
  sizes.feed_forward_width = 384;
  sizes.adapter_width = 72;
  const std::vector<VisionTensor> tensors = VisionTensors(sizes, 80);
  EXPECT_EQ(tensors.size(), size_t{58});
  EXPECT_EQ(VisionParameterCount(sizes, 80), 432672);
  std::map<std::string, std::vector<int64_t>> shapes;
  for (const VisionTensor& tensor : tensors) {
    EXPECT_TRUE(IsVisionTensor(tensor.name)) << tensor.name;
    shapes[tensor.name] = tensor.shape;
  }
  using Shape = std::vector<int64_t>;
  EXPECT_EQ(shapes.size(), tensors.size());
  EXPECT_EQ(shapes["vision_model.positional_embedding_vlm"], (Shape{17, 96}));
  EXPECT_EQ(shapes["vision_model.patch_embedding.linear.weight"], (Shape{96, 588}));
  EXPECT_EQ(shapes["vision_model.model.layers.2.mlp.fc1.weight"], (Shape{384, 96}));
  EXPECT_EQ(shapes["vision_model.model.layers.2.mlp.fc2.bias"], Shape{96});
  EXPECT_EQ(shapes["vision_model.vision_adapter.mlp.fc1.weight"], (Shape{72, 384}));
  EXPECT_EQ(shapes["multi_modal_projector.linear_1.weight"], (Shape{80, 72}));
}

TEST(VisionSizes, NoneIsNone) {
  EXPECT_FALSE(ReadVisionSizes("{}", "file"));
  EXPECT_FALSE(ReadVisionSizes(R"({"vision_config": null})", "file"));
}

TEST(VisionSizes, SizesAreNeverGuessed) {
  for (const json& whole : {Published(), PublishedMeta()}) {
    const std::string outer = whole.contains("vision_args") ? "vision_args" : "vision_config";
    for (const auto& [key, value] : whole.at(outer).items()) {
      json config = whole;
      config[outer].erase(key);
      if (key == "num_channels") {
        EXPECT_EQ(ReadVisionSizes(config.dump(), "file"), PublishedVision());
      } else {
        Refused(config, "file: " + outer + "." + key + " is absent; expected ");
      }
      config[outer][key] = "text";
      Refused(config, "file: " + outer + "." + key + " is \"text\"; expected ");
      config[outer][key] = 0;
      Refused(config, "file: " + outer + "." + key + " is 0; expected ");
    }
  }
}

TEST(VisionSizes, SizesThatDoNotFitEachOtherAreRefused) {
  const auto with = [](json config, const char* outer, const char* key, const json& value) {
    config[outer][key] = value;
    return config;
  };
  const auto hf = [&](const char* key, const json& value) {
    return with(Published(), "vision_config", key, value);
  };
  Refused(hf("patch_size", 15), "patch_size is 15; expected a divisor of image_size (336)");
  Refused(hf("num_attention_heads", 15), "expected a divisor of hidden_size (1408)");
  Refused(hf("projector_input_dim", 4095), "expected vision_output_dim (4096)");
  Refused(hf("pixel_shuffle_ratio", 0.25), "vectors of the feed-forward's width 5632 from 1408");
  Refused(hf("hidden_size", int64_t{1} << 40), "expected a whole number from 1 to 262144");
  const json wide = {{"height", 336}, {"width", 337}};
  Refused(with(PublishedMeta(), "vision_args", "image_size", wide), "expected the height");
  Refused(with(PublishedMeta(), "vision_args", "mlp_ratio", 1e30), "mlp_ratio is 1e+30; expected");
}

}  // namespace
}  // namespace touchstone::checkpoint
