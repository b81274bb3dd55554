#include "lab/model/inspect.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>

#include "lab/errors.h"
#include "tests/checkpoint/written_model.h"

namespace touchstone::lab {
namespace {

using checkpoint::ExpectBad;
using Json = nlohmann::json;

constexpr char kSmall[] = R"({
  "model_type": "llama4_text", "vocab_size": 11, "hidden_size": 6, "num_attention_heads": 4,
  "num_key_value_heads": 2, "head_dim": 4, "intermediate_size_mlp": 9, "num_local_experts": 3,
  "num_experts_per_tok": 1, "intermediate_size": 5, "num_hidden_layers": 3, "use_qk_norm": false,
  "attention_chunk_size": null, "no_rope_layers": [1, 1, 0], "moe_layers": [0, 2]})";

void ExpectSays(const std::string& report, const std::string& text) {
  EXPECT_NE(report.find(text), std::string::npos) << "expected: " << text << "\n" << report;
}

TEST(Inspect, ScoutInFull) {
  const InspectedModel scout = Inspect("scout");
  const std::string report = ShowModel(scout, false);
  ExpectSays(report, "preset scout: Llama-4-Scout-17B-16E-Instruct\n");
  ExpectSays(report, "  V  vocabulary                          202048\n");
  ExpectSays(report, "  rms_norm_eps                        1e-05  0x3727c5ac\n");
  ExpectSays(report, "attn_temperature_tuning is on, the default of Hugging Face; Meta's code");
  ExpectSays(
      report,
      "    36  0-2, 4-6, ..., 44-46         RoPE, attention in chunks of 8192, QK norm, MoE\n"
      "    12  3, 7, ..., 47                NoPE, global attention, temperature, MoE\n");
  ExpectSays(report, "144 tokens a tile");
  ExpectSays(report, "  routed experts                  96,636,764,160       6,039,797,760\n");
  ExpectSays(report, "  text model                     107,769,861,120      17,172,894,720\n");
  ExpectSays(report, "  vision and its projection          871,932,416\n");
  ExpectSays(report, "  text and vision                108,641,793,536\n");
  EXPECT_EQ(report.find("tensors"), std::string::npos);
  const std::string tensors = ShowModel(scout, true);
  ExpectSays(tensors,
             "  language_model.model.layers.47.feed_forward.experts.gate_up_proj "
             "(16, 5120, 16384)\n");
  ExpectSays(tensors, "  vision_model.model.layers.33.mlp.fc1.weight (5632, 1408)\n");
  ExpectSays(tensors, "  multi_modal_projector.linear_1.weight (5120, 4096)\n");
}

TEST(Inspect, MaverickAndLlamaGuard4) {
  const std::string maverick = ShowModel(Inspect("maverick"), false);
  ExpectSays(maverick,
             "    24  0, 2, ..., 46                RoPE, attention in chunks of 8192, dense");
  ExpectSays(maverick,
             "    12  1, 5, ..., 45                RoPE, attention in chunks of 8192, MoE");
  ExpectSays(maverick, "    12  3, 7, ..., 47                NoPE, global attention, temperature");
  const std::string guard = ShowModel(Inspect("llama-guard-4"), false);
  ExpectSays(guard,
             "    48  0-47                         RoPE, global attention, QK norm, dense\n");
  EXPECT_EQ(guard.find("expert"), std::string::npos);
  EXPECT_EQ(guard.find("vision"), std::string::npos);
}

TEST(Inspect, WhatThereIsNot) {
  const auto usage = [](const std::string& model) -> std::string {
    try {
      Inspect(model);
    } catch (const UsageError& error) {
      return error.what();
    }
    return "accepted";
  };
  ExpectSays(usage("behemoth"), "was never published");
  ExpectSays(usage("behemoth"), "16 experts");
  ExpectSays(usage("nonesuch"), "no preset, folder or file 'nonesuch', expected scout, maverick");
  const TemporaryFolder folder;
  ExpectBad([&] { Inspect(folder.path()); }, "neither config.json nor params.json");
  const std::string file = folder.Write("config.json", "{}");
  ExpectBad([&] { Inspect(file); }, "num_hidden_layers is absent");
}

TEST(Inspect, AConfigurationSaysWhichDefaultsItTook) {
  const TemporaryFolder folder;
  const std::string file = folder.Write("config.json", kSmall);
  for (const std::string& model : {file, folder.path().string()}) {
    const std::string report = ShowModel(Inspect(model), true);
    ExpectSays(report, file + "\n\nsizes\n");
    ExpectSays(report, "defaults taken\n  " + file +
                           ": attn_temperature_tuning is absent; taken "
                           "as true, the default of Hugging Face");
    ExpectSays(report,
               "     1  2                            NoPE, global attention, temperature, "
               "MoE\n");
    ExpectSays(report, "  model.layers.1.feed_forward.down_proj.weight (6, 9)\n");
    EXPECT_EQ(report.find("weights\n"), std::string::npos);
  }
  const std::string params =
      folder.Write("params.json", R"({"dim": 12, "n_layers": 1, "n_heads": 2, "n_kv_heads": 1,
    "vocab_size": 11, "multiple_of": 1, "ffn_dim_multiplier": 0.25, "norm_eps": 1e-5})");
  const std::string report = ShowModel(Inspect(params), true);
  ExpectSays(report, "attn_temperature_tuning is absent; taken as false, the default of Meta");
  ExpectSays(report, "  layers.0.attention.wqkv.weight (24, 12)\n");
}

TEST(Inspect, StoredTensorsWithDtypeShardAndBytes) {
  const TemporaryFolder folder;
  folder.Write("config.json", kSmall);
  checkpoint::NamedTensors model = checkpoint::HuggingFaceModel(Dtype::kBf16);
  model["vision_model.\x7f[2J"] = Tensor(Dtype::kF32, {1});
  checkpoint::WriteSharded(folder, [&] {
    checkpoint::NamedTensors plain = model;
    plain.erase("vision_model.\x7f[2J");
    return plain;
  }());
  std::string report = ShowModel(Inspect(folder.path()), true);
  ExpectSays(report, "  36 tensors in 36 files, 3,912");
  ExpectSays(report, " bytes, BF16, with the names of Hugging Face\n");
  ExpectSays(report, "all tensors of the text model are there in shape, and no others");
  ExpectSays(report, "  model.norm.weight (6) BF16 12 bytes in model.norm.weight.safetensors\n");
  EXPECT_EQ(report.find("vision"), std::string::npos);

  // A name that would move the cursor is shown in quotes; so are numbers that no configuration has.
  const TemporaryFolder hostile;
  hostile.Write("config.json", kSmall);
  checkpoint::WriteModel(hostile, model);
  report = ShowModel(Inspect(hostile.path()), true);
  ExpectSays(report, "  'vision_model.\\x7f[2J' (1) F32 4 bytes in model.safetensors\n");
  ExpectSays(report, "BF16 and F32");
  ExpectSays(report, "the vision tensors hold 1 numbers, not the 0 of the configuration");

  model.erase("model.norm.weight");
  checkpoint::WriteModel(hostile, model);
  ExpectBad([&] { Inspect(hostile.path()); }, "'model.norm.weight' is absent");
}

TEST(Inspect, Json) {
  const TemporaryFolder folder;
  folder.Write("config.json", kSmall);
  checkpoint::WriteModel(folder, checkpoint::HuggingFaceModel(Dtype::kF32));
  const Json report = Json::parse(ModelJson(Inspect(folder.path()), true));
  EXPECT_EQ(report.at("sizes").at("channels"), 6);
  EXPECT_EQ(report.at("constants").at("rope").at("theta"), 500000.0);
  EXPECT_EQ(report.at("notes").size(), 1u);
  EXPECT_EQ(report.at("layers").size(), 3u);
  EXPECT_EQ(report.at("layers")[2].at("temperature"), true);
  EXPECT_EQ(report.at("layers")[1].at("moe"), false);
  EXPECT_EQ(report.at("tensors").size(), 36u);
  EXPECT_EQ(report.at("weights").at("bytes"),
            4 * report.at("parameters").at("text").get<int64_t>());
  EXPECT_FALSE(report.contains("vision"));
  const Json scout = Json::parse(ModelJson(Inspect("scout"), false));
  EXPECT_EQ(scout.at("parameters").at("all"), 108'641'793'536);
  int64_t parts = 0, active = 0;
  for (const auto& [name, part] : scout.at("parameters").at("parts").items()) {
    parts += part.at("all").get<int64_t>();
    active += part.at("active").get<int64_t>();
  }
  EXPECT_EQ(scout.at("parameters").at("text"), parts);
  EXPECT_EQ(scout.at("parameters").at("text_active"), active);
  EXPECT_FALSE(scout.contains("tensors"));
}

TEST(Inspect, RunsOfLayersAreFolded) {
  EXPECT_EQ(LayerRanges({}), "");
  EXPECT_EQ(LayerRanges({5}), "5");
  EXPECT_EQ(LayerRanges({0, 1, 2}), "0-2");
  EXPECT_EQ(LayerRanges({0, 2, 4}), "0, 2, 4");
  EXPECT_EQ(LayerRanges({0, 2, 4, 6}), "0, 2, ..., 6");
  EXPECT_EQ(LayerRanges({0, 2, 4, 7}), "0, 2, 4, 7");
  EXPECT_EQ(LayerRanges({0, 1, 3, 4, 6, 7, 9, 10}), "0-1, 3-4, ..., 9-10");
  EXPECT_EQ(LayerRanges({0, 1, 3, 4, 6, 7, 9}), "0-1, 3-4, 6-7, 9");
}

}  // namespace
}  // namespace touchstone::lab
