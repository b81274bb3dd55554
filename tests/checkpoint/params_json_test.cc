#include "reference/checkpoint/config_json.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "reference/checkpoint/bad_checkpoint.h"

namespace touchstone::checkpoint {
namespace {

using nlohmann::json;

json PublishedScout() {
  return json::parse(R"({"dim": 5120, "n_layers": 48, "n_heads": 40, "n_kv_heads": 8,
    "vocab_size": 202048, "multiple_of": 2048, "ffn_dim_multiplier": 1.2, "ffn_exp": 4.0,
    "norm_eps": 1e-5, "attention_chunk_size": 8192, "rope_theta": 500000,
    "use_scaled_rope": true, "nope_layer_interval": 4, "use_qk_norm": true,
    "vision_args": {"dim": 1408},
    "moe_args": {"num_experts": 16, "capacity_factor": 1.0, "auto_scale_F": true, "top_k": 1}})");
}

TextConfigRead Read(const json& params) { return ReadMetaParams(params.dump(), "params.json"); }

std::string ErrorOf(const json& params) {
  try {
    Read(params);
  } catch (const BadCheckpoint& error) {
    return error.what();
  }
  return "nothing was thrown";
}

json With(const std::string& pointer, const std::string& value) {
  json params = PublishedScout();
  params[json::json_pointer(pointer)] = json::parse(value);
  return params;
}

TEST(MetaParams, PublishedScoutIsThePresetButForTemperature) {
  const TextConfigRead read = Read(PublishedScout());
  TextConfig expected = Scout();
  expected.attn_temperature_tuning = false;
  EXPECT_EQ(read.text, expected);
  EXPECT_EQ(read.notes,
            (std::vector<std::string>{
                "params.json: rope_scaling_factor is absent; taken as 16, the default of Meta, "
                "whose file this is (Hugging Face's converter takes 8, as Scout was first "
                "published)",
                "params.json: rope_high_freq_factor is absent; taken as 1, the default of Meta, "
                "whose file this is (Hugging Face's converter takes 4, as Scout was first "
                "published)",
                "params.json: attn_temperature_tuning is absent; taken as false, the default of "
                "Meta, whose file this is (Hugging Face's is true)"}));
}

TEST(MetaParams, PublishedMaverick) {
  json params = With("/moe_args/num_experts", "128");
  params["moe_args"]["interleave_moe_layer_step"] = 2;
  params["use_qk_norm"] = params["use_scaled_rope"] = false;
  params["attn_temperature_tuning"] = true;
  const TextConfigRead read = Read(params);
  EXPECT_EQ(read.text, Maverick());
  EXPECT_TRUE(read.notes.empty());
}

TEST(MetaParams, DenseModelWithNullsHasRopeEverywhereAndNoChunks) {
  json params = With("/nope_layer_interval", "null");
  params["attention_chunk_size"] = params["moe_args"] = params["ffn_dim_multiplier"] = nullptr;
  params["attn_temperature_tuning"] = true;
  const TextConfig text = Read(params).text;
  EXPECT_EQ(text.layers, LlamaGuard4().layers);
  EXPECT_EQ(text.attention_chunk_size, 0);
  EXPECT_EQ(text.dense_width, 14336);  // 13653 up to a multiple of 2048
  EXPECT_EQ(text.experts, 0);
}

TEST(MetaParams, DefaultsThatDifferAreNoted) {
  json params = PublishedScout();
  for (const char* key : {"nope_layer_interval", "attention_chunk_size", "use_qk_norm",
                          "use_scaled_rope", "multiple_of"}) {
    params.erase(key);
  }
  const TextConfigRead read = Read(params);
  EXPECT_EQ(read.notes.size(), 4u);
  EXPECT_FALSE(read.text.use_qk_norm);
  EXPECT_TRUE(read.text.layers[3].has_rope);
  EXPECT_FALSE(read.text.layers[0].is_chunked);
  EXPECT_EQ(read.text.dense_width, 16384);  // 16383 up to a multiple of 256
}

TEST(MetaParams, ExpertWidthFollowsEachStepOfTheFormula) {
  EXPECT_EQ(Read(With("/moe_args/auto_scale_F", "false")).text.expert_width, 16384);
  EXPECT_EQ(Read(With("/moe_args/capacity_factor", "3")).text.expert_width, 4096);
  EXPECT_EQ(Read(With("/multiple_of", "1")).text.expert_width, 8191);
  EXPECT_EQ(Read(With("/multiple_of", "1")).text.dense_width, 16383);
  EXPECT_EQ(Read(With("/ffn_exp", "2.0")).text.expert_width, 4096);
  EXPECT_EQ(Read(With("/ffn_exp", "2.0")).text.dense_width, 16384);  // always from 4 C
  EXPECT_EQ(Read(With("/rope_scaling_factor", "8.0")).text.rope.factor, 8.0);
  EXPECT_EQ(Read(With("/rope_high_freq_factor", "4.0")).text.rope.high, 4.0);
}

TEST(MetaParams, RefusesEachWrongValue) {
  struct Wrong {
    const char *pointer, *value, *message;
  };
  const std::vector<Wrong> all = {
      {"/vocab_size", "-1", "vocab_size is -1; expected a whole number from 1 to 8388607"},
      {"/n_kv_heads", "null", "n_kv_heads is null; expected a whole number from 1 to 4096"},
      {"/n_kv_heads", "7", "n_kv_heads is 7; expected a divisor of n_heads (40)"},
      {"/dim", "5121",
       "dim is 5121; expected an even multiple of n_heads (40) where head_dim does not say "
       "otherwise"},
      {"/head_dim", "64", "head_dim is 64; expected dim / n_heads, 128"},
      {"/nope_layer_interval", "0",
       "nope_layer_interval is 0; expected a whole number from 1 to 2147483647"},
      {"/moe_args/interleave_moe_layer_step", "0",
       "moe_args.interleave_moe_layer_step is 0; expected a whole number from 1 to 2147483647"},
      {"/moe_args/num_experts", "-1",
       "moe_args.num_experts is -1; expected a whole number from 1 to 4096"},
      {"/moe_args/top_k", "17", "moe_args.top_k is 17; expected a whole number from 1 to 16"},
      {"/moe_args", "[]", "moe_args is []; expected an object"},
      {"/ffn_exp", "null", "ffn_exp is null; expected a positive number within binary32"},
      {"/ffn_exp", "1e30", "ffn_exp is 1e+30; expected a feed-forward width below 2^40"},
      {"/ffn_dim_multiplier", "null",
       "ffn_dim_multiplier is null; expected a positive number within binary32"},
      {"/ffn_dim_multiplier", "1e4",
       "ffn_dim_multiplier is 10000.0; expected a feed-forward width from 1 to 262144, not "
       "136531968"},
      {"/moe_args/capacity_factor", "-1",
       "moe_args.capacity_factor is -1; expected a number within binary32 that is not negative"},
      {"/attn_temperature_tuning", "4", "attn_temperature_tuning is 4; expected true or false"},
      {"/rope_theta", "1e13",
       "rope_theta is 10000000000000.0; expected a number above 1, at most 2^40"},
      {"/norm_eps", "\"1e-5\"", "norm_eps is \"1e-5\"; expected a positive number within binary32"},
  };
  for (const Wrong& wrong : all) {
    EXPECT_EQ(ErrorOf(With(wrong.pointer, wrong.value)),
              std::string("params.json: ") + wrong.message);
  }
}

TEST(ConfigFile, IsToldApartByItsKeys) {
  const std::filesystem::path folder =
      std::filesystem::path(testing::TempDir()) / "touchstone_config_file";
  std::filesystem::create_directories(folder);
  const std::filesystem::path path = folder / "params.json";
  std::ofstream(path) << PublishedScout().dump();
  EXPECT_EQ(ReadConfigFile(path).text, Read(PublishedScout()).text);
  std::ofstream(path) << R"({"model_type": "llama"})";
  EXPECT_THROW(ReadConfigFile(path), BadCheckpoint);
  std::filesystem::resize_file(path, (16 << 20) + 1);
  EXPECT_THROW(ReadConfigFile(path), BadCheckpoint);
  EXPECT_THROW(ReadConfigFile(folder), BadCheckpoint);
  std::filesystem::remove_all(folder);
  EXPECT_THROW(ReadConfigFile(path), BadCheckpoint);
}

}  // namespace
}  // namespace touchstone::checkpoint
