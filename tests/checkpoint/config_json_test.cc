#include "reference/checkpoint/config_json.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "reference/checkpoint/bad_checkpoint.h"

namespace touchstone::checkpoint {
namespace {

using nlohmann::json;

// A small model in the keys that transformers 5 writes; tests change it by a merge patch, in which
// null removes a key.
json Small() {
  return json::parse(R"({
    "model_type": "llama4_text", "hidden_act": "silu", "attention_bias": false,
    "vocab_size": 200, "hidden_size": 80, "num_hidden_layers": 5, "num_attention_heads": 5,
    "num_key_value_heads": 1, "head_dim": 16, "intermediate_size": 48,
    "intermediate_size_mlp": 96, "num_local_experts": 16, "num_experts_per_tok": 1,
    "moe_layers": [0, 1, 2, 3, 4], "interleave_moe_layer_step": 1, "use_qk_norm": true,
    "no_rope_layers": [1, 1, 1, 0, 1], "no_rope_layer_interval": 4,
    "layer_types": ["chunked_attention", "chunked_attention", "chunked_attention",
                    "full_attention", "chunked_attention"],
    "attention_chunk_size": 16, "attn_temperature_tuning": true, "floor_scale": 8,
    "attn_scale": 0.1, "rms_norm_eps": 1e-05, "tie_word_embeddings": false,
    "rope_parameters": {"rope_type": "llama3", "rope_theta": 500000.0, "factor": 16.0,
      "low_freq_factor": 1.0, "high_freq_factor": 1.0,
      "original_max_position_embeddings": 8192}})");
}

json Patched(json config, const std::string& patch) {
  config.merge_patch(json::parse(patch));
  return config;
}

// Sets one key, to null too.
json With(json config, const std::string& key, const std::string& value) {
  config[key] = json::parse(value);
  return config;
}

TextConfigRead Read(const json& config) {
  return ReadHuggingFaceConfig(config.dump(), "config.json");
}

std::string ErrorOf(const auto& work) {
  try {
    work();
  } catch (const BadCheckpoint& error) {
    return error.what();
  }
  return "nothing was thrown";
}

std::string ErrorOfText(const std::string& text) {
  return ErrorOf([&] { ReadHuggingFaceConfig(text, "config.json"); });
}

TextConfig SmallText() {
  TextConfig text;
  text.vocabulary = 200;
  text.channels = 80;
  text.heads = 5;
  text.kv_heads = 1;
  text.head_width = 16;
  text.dense_width = 96;
  text.experts = 16;
  text.experts_a_token = 1;
  text.expert_width = 48;
  text.rms_norm_eps = 1e-5;
  text.rope = {500000.0, true, 16.0, 1.0, 1.0, 8192.0};
  text.use_qk_norm = text.attn_temperature_tuning = true;
  text.floor_scale = 8.0;
  text.attn_scale = 0.1;
  text.attention_chunk_size = 16;
  text.layers = PatternedLayers(5, 4, true, 1);
  return text;
}

// ---- The small checkpoints of outside implementations: whole structs, no notes. ----

TEST(HuggingFaceConfig, ScoutTiny) {
  const TextConfigRead read = Read(Small());
  EXPECT_EQ(read.text, SmallText());
  EXPECT_TRUE(read.notes.empty());
  EXPECT_EQ(ParameterCount(read.text), 1095280);  // as in the checkpoint's tensors
}

TEST(HuggingFaceConfig, ScoutLaunchRope) {
  const json config = Patched(Small(), R"({"num_hidden_layers": 2, "hidden_size": 96,
    "num_attention_heads": 2, "head_dim": 128, "moe_layers": [0, 1], "no_rope_layers": [1, 1],
    "layer_types": ["chunked_attention", "chunked_attention"],
    "rope_parameters": {"factor": 8.0, "high_freq_factor": 4.0}})");
  TextConfig expected = SmallText();
  expected.channels = 96;
  expected.heads = 2;
  expected.head_width = 128;
  expected.rope.factor = 8.0;
  expected.rope.high = 4.0;
  expected.layers = PatternedLayers(2, 0, true, 1);
  EXPECT_EQ(Read(config).text, expected);
  EXPECT_EQ(ParameterCount(expected), 659424);
}

TEST(HuggingFaceConfig, MaverickTiny) {
  json config = Patched(Small(), R"({"num_hidden_layers": 6, "hidden_size": 96,
    "num_attention_heads": 6, "num_key_value_heads": 2, "intermediate_size": 16,
    "intermediate_size_mlp": 64, "num_local_experts": 128, "moe_layers": [1, 3, 5],
    "interleave_moe_layer_step": 2, "use_qk_norm": false, "no_rope_layers": [1, 1, 1, 0, 1, 1],
    "layer_types": ["chunked_attention", "chunked_attention", "chunked_attention",
                    "full_attention", "chunked_attention", "chunked_attention"]})");
  config["rope_parameters"] = {{"rope_theta", 500000.0}, {"rope_type", "default"}};
  TextConfig expected = SmallText();
  expected.channels = 96;
  expected.heads = 6;
  expected.kv_heads = 2;
  expected.expert_width = 16;
  expected.dense_width = 64;
  expected.experts = 128;
  expected.use_qk_norm = false;
  expected.rope = {.theta = 500000.0};
  expected.layers = PatternedLayers(6, 4, true, 2);
  EXPECT_EQ(Read(config).text, expected);
  EXPECT_EQ(ParameterCount(expected), 2062560);
}

TEST(HuggingFaceConfig, GuardTinyIsGlobalInSpiteOfItsChunkSize) {
  json config = Patched(Small(), R"({"num_hidden_layers": 3, "moe_layers": [],
    "attn_temperature_tuning": false, "no_rope_layers": [1, 1, 1],
    "layer_types": ["full_attention", "full_attention", "full_attention"]})");
  config["rope_parameters"] = {{"rope_theta", 500000.0}, {"rope_type", "default"}};
  TextConfig expected = SmallText();
  expected.attn_temperature_tuning = false;
  expected.rope = {.theta = 500000.0};
  expected.layers = PatternedLayers(3, 0, false, 0);
  EXPECT_EQ(Read(config).text, expected);
  EXPECT_EQ(ParameterCount(expected), 147760);
}

TEST(HuggingFaceConfig, ScoutBytes) {
  const json config = Patched(Small(), R"({"num_hidden_layers": 8, "hidden_size": 160,
    "head_dim": 32, "vocab_size": 264, "attention_chunk_size": 128, "floor_scale": 128,
    "intermediate_size": 96, "intermediate_size_mlp": 192, "moe_layers": [0, 1, 2, 3, 4, 5, 6, 7],
    "no_rope_layers": [1, 1, 1, 0, 1, 1, 1, 0], "layer_types": null})");
  TextConfig expected = SmallText();
  expected.channels = 160;
  expected.head_width = 32;
  expected.vocabulary = 264;
  expected.attention_chunk_size = 128;
  expected.floor_scale = 128.0;
  expected.expert_width = 96;
  expected.dense_width = 192;
  expected.layers = PatternedLayers(8, 4, true, 1);
  EXPECT_EQ(Read(config).text, expected);
  EXPECT_EQ(ParameterCount(expected), 6866080);
}

TEST(HuggingFaceConfig, MultimodalTinyIsNested) {
  json text = Patched(Small(), R"({"num_hidden_layers": 4, "vocab_size": 300,
    "moe_layers": [0, 1, 2, 3], "no_rope_layers": [1, 1, 1, 0]})");
  text["layer_types"].erase(4);
  json config = {{"model_type", "llama4"},
                 {"text_config", text},
                 {"tie_word_embeddings", false},
                 {"vision_config", {{"hidden_size", 96}}}};
  TextConfig expected = SmallText();
  expected.vocabulary = 300;
  expected.layers = PatternedLayers(4, 4, true, 1);
  EXPECT_EQ(Read(config).text, expected);
  EXPECT_EQ(ParameterCount(expected), 898640);

  config["text_config"]["hidden_size"] = "80";
  EXPECT_EQ(ErrorOf([&] { Read(config); }),
            "config.json: text_config.hidden_size is \"80\"; expected a whole number from 1 to "
            "262144");
  config["text_config"]["hidden_size"] = 80;
  config["tie_word_embeddings"] = true;
  EXPECT_EQ(ErrorOf([&] { Read(config); }),
            "config.json: tie_word_embeddings is true; expected the same as in text_config");
  config["model_type"] = "mllama";
  EXPECT_EQ(ErrorOf([&] { Read(config); }),
            "config.json: model_type is \"mllama\"; expected llama4");
}

// ---- The published configurations, in the keys of their time. ----

json PublishedScout() {
  return json::parse(R"({"model_type": "llama4", "text_config": {
    "model_type": "llama4_text", "hidden_size": 5120, "num_hidden_layers": 48,
    "num_attention_heads": 40, "num_key_value_heads": 8, "head_dim": 128,
    "intermediate_size": 8192, "intermediate_size_mlp": 16384, "num_local_experts": 16,
    "num_experts_per_tok": 1, "interleave_moe_layer_step": 1, "use_qk_norm": true,
    "rope_theta": 500000.0, "rope_scaling": {"factor": 16.0, "high_freq_factor": 1.0,
      "low_freq_factor": 1.0, "original_max_position_embeddings": 8192, "rope_type": "llama3"},
    "attention_chunk_size": 8192, "no_rope_layers": [], "rms_norm_eps": 1e-05,
    "vocab_size": 202048}})");
}

TEST(HuggingFaceConfig, PublishedScoutInTheOlderKeys) {
  const TextConfigRead read = Read(PublishedScout());
  EXPECT_EQ(read.text, Scout());
  EXPECT_EQ(read.notes, std::vector<std::string>{
                            "config.json: attn_temperature_tuning is absent; taken as true, the "
                            "default of Hugging Face, whose file this is (Meta's is false)"});
}

TEST(HuggingFaceConfig, PublishedMaverickInTheOlderKeys) {
  json config = PublishedScout();
  json& text = config["text_config"];
  text["num_local_experts"] = 128;
  text["interleave_moe_layer_step"] = 2;
  text["use_qk_norm"] = false;
  text["rope_scaling"] = nullptr;
  EXPECT_EQ(Read(config).text, Maverick());
}

TEST(HuggingFaceConfig, GuardAsTheConverterWritesIt) {
  json config = PublishedScout();
  json& text = config["text_config"];
  text["num_local_experts"] = text["num_experts_per_tok"] = text["interleave_moe_layer_step"] = 0;
  text["intermediate_size"] = 0;
  text["intermediate_size_mlp"] = 8192;
  text["moe_layers"] = json::array();
  text["no_rope_layer_interval"] = 80;
  text["attention_chunk_size"] = nullptr;
  EXPECT_EQ(Read(config).text, LlamaGuard4());
}

TEST(HuggingFaceConfig, TemperatureTuningIsABooleanOrANumber) {
  const auto tuning = [](const std::string& value) {
    return Read(With(Small(), "attn_temperature_tuning", value)).text.attn_temperature_tuning;
  };
  EXPECT_TRUE(tuning("4"));
  EXPECT_TRUE(tuning("0.5"));
  EXPECT_FALSE(tuning("0"));
  EXPECT_FALSE(tuning("0.0"));
  EXPECT_FALSE(tuning("false"));
}

TEST(HuggingFaceConfig, DefaultsThatDifferAreNoted) {
  const TextConfigRead read = Read(Patched(Small(), R"({"attention_chunk_size": null,
    "use_qk_norm": null, "attn_temperature_tuning": null, "floor_scale": null, "attn_scale": null,
    "rms_norm_eps": null, "no_rope_layers": null, "layer_types": null, "moe_layers": null,
    "no_rope_layer_interval": null, "interleave_moe_layer_step": null,
    "num_experts_per_tok": null, "tie_word_embeddings": null, "model_type": null})"));
  TextConfig expected = SmallText();
  expected.attention_chunk_size = 8192;
  expected.floor_scale = 8192.0;
  EXPECT_EQ(read.text, expected);
  ASSERT_EQ(read.notes.size(), 3u);
  EXPECT_NE(read.notes[0].find("attention_chunk_size"), std::string::npos);
  EXPECT_NE(read.notes[1].find("use_qk_norm"), std::string::npos);
  EXPECT_NE(read.notes[2].find("attn_temperature_tuning"), std::string::npos);
}

TEST(HuggingFaceConfig, ListsAreStrongerThanIntervals) {
  json config = Patched(Small(), R"({"layer_types": null, "no_rope_layers": [0, 1, 1, 1, 1],
                                     "moe_layers": [4, 0]})");
  config["attention_chunk_size"] = nullptr;
  const TextConfig text = Read(config).text;
  EXPECT_EQ(text.layers[0], (TextLayer{.has_rope = false, .is_chunked = false, .is_moe = true}));
  EXPECT_EQ(text.layers[3], (TextLayer{.has_rope = true, .is_chunked = false, .is_moe = false}));
  EXPECT_TRUE(text.layers[4].is_moe);
  config["attention_chunk_size"] = 0;
  EXPECT_EQ(Read(config).text, text);
}

TEST(HuggingFaceConfig, NullStandsForTheUsualHeads) {
  json config = With(With(Small(), "head_dim", "null"), "num_key_value_heads", "null");
  EXPECT_EQ(Read(config).text.head_width, 16);
  EXPECT_EQ(Read(config).text.kv_heads, 5);
}

TEST(HuggingFaceConfig, BothGenerationsOfRopeKeysMayStandTogether) {
  json config = Small();
  config["rope_theta"] = 500000;
  config["rope_scaling"] = config["rope_parameters"];
  EXPECT_EQ(Read(config).text, SmallText());
  config["rope_parameters"].erase("rope_theta");
  EXPECT_EQ(Read(config).text, SmallText());
  config["rope_parameters"]["rope_theta"] = 10000.0;
  EXPECT_EQ(ErrorOf([&] { Read(config); }),
            "config.json: rope_theta is 500000; expected the theta of rope_parameters");
  config["rope_theta"] = 10000.0;
  config["rope_scaling"]["factor"] = 8.0;
  EXPECT_NE(ErrorOf([&] { Read(config); }).find("expected the scaling of rope_parameters"),
            std::string::npos);
}

// ---- Contradictions and wrong values: key, value, the whole message after "config.json: ". ----

struct Wrong {
  const char *key, *value, *message;
};

TEST(HuggingFaceConfig, RefusesEachWrongValue) {
  const std::vector<Wrong> all = {
      {"hidden_size", "0", "hidden_size is 0; expected a whole number from 1 to 262144"},
      {"hidden_size", "-80", "hidden_size is -80; expected a whole number from 1 to 262144"},
      {"hidden_size", "80.0", "hidden_size is 80.0; expected a whole number from 1 to 262144"},
      {"hidden_size", "true", "hidden_size is true; expected a whole number from 1 to 262144"},
      {"hidden_size", "null", "hidden_size is null; expected a whole number from 1 to 262144"},
      {"vocab_size", "18446744073709551615",
       "vocab_size is 18446744073709551615; expected a whole number from 1 to 8388607"},
      {"num_hidden_layers", "4611686018427387904",
       "num_hidden_layers is 4611686018427387904; expected a whole number from 1 to 1024"},
      {"num_key_value_heads", "2",
       "num_key_value_heads is 2; expected a divisor of num_attention_heads (5)"},
      {"num_key_value_heads", "10",
       "num_key_value_heads is 10; expected a divisor of num_attention_heads (5)"},
      {"head_dim", "15", "head_dim is 15; expected an even number: RoPE turns pairs"},
      {"rms_norm_eps", "-1e-5",
       "rms_norm_eps is -1e-05; expected a positive number within binary32"},
      {"rms_norm_eps", "1e-60",
       "rms_norm_eps is 1e-60; expected a positive number within binary32"},
      {"floor_scale", "1e39", "floor_scale is 1e+39; expected a positive number within binary32"},
      {"floor_scale", "0", "floor_scale is 0; expected a positive number within binary32"},
      {"attn_scale", "-0.1",
       "attn_scale is -0.1; expected a number within binary32 that is not negative"},
      {"attn_temperature_tuning", "\"yes\"",
       "attn_temperature_tuning is \"yes\"; expected true, false or a number (4 as first "
       "published; 0 is off)"},
      {"use_qk_norm", "1", "use_qk_norm is 1; expected true or false"},
      {"attention_chunk_size", "-1",
       "attention_chunk_size is -1; expected a whole number from 0 to 2147483647"},
      {"attention_chunk_size", "null",
       "layer_types[0] is \"chunked_attention\"; expected full_attention: attention_chunk_size is "
       "null or 0"},
      {"attention_chunk_size", "0",
       "layer_types[0] is \"chunked_attention\"; expected full_attention: attention_chunk_size is "
       "null or 0"},
      {"no_rope_layers", "[0, 1, 1, 0, 1]",
       "layer_types[0] is \"chunked_attention\"; expected full_attention: by no_rope_layers the "
       "layer has no RoPE"},
      {"no_rope_layers", "[1, 1, 1, 0]",
       "no_rope_layers is [1,1,1,0]; expected one entry a layer: num_hidden_layers is 5, found 4"},
      {"no_rope_layers", "[1, 1, 1, 0, 2]",
       "no_rope_layers[4] is 2; expected 1 (the layer has RoPE) or 0"},
      {"no_rope_layers", "[true, 1, 1, 0, 1]",
       "no_rope_layers[0] is true; expected 1 (the layer has RoPE) or 0"},
      {"no_rope_layers", "{}", "no_rope_layers is {}; expected a list"},
      {"no_rope_layer_interval", "0",
       "no_rope_layer_interval is 0; expected a whole number from 1 to 2147483647"},
      {"layer_types", "[\"full_attention\"]",
       "layer_types is [\"full_attention\"]; expected one entry a layer: num_hidden_layers is 5, "
       "found 1"},
      {"layer_types", "[1, 1, 1, 1, 1]",
       "layer_types[0] is 1; expected chunked_attention or full_attention"},
      {"moe_layers", "[5]", "moe_layers[0] is 5; expected a layer from 0 to 4, each once"},
      {"moe_layers", "[-1]", "moe_layers[0] is -1; expected a layer from 0 to 4, each once"},
      {"moe_layers", "[1, 1]", "moe_layers[1] is 1; expected a layer from 0 to 4, each once"},
      {"moe_layers", "true", "moe_layers is true; expected a list"},
      {"interleave_moe_layer_step", "-1",
       "interleave_moe_layer_step is -1; expected a whole number from 0 to 2147483647"},
      {"num_experts_per_tok", "17",
       "num_experts_per_tok is 17; expected a whole number from 1 to 16"},
      {"num_local_experts", "0", "num_local_experts is 0; expected a whole number from 1 to 4096"},
      {"intermediate_size", "0",
       "intermediate_size is 0; expected a whole number from 1 to 262144"},
      {"rope_parameters", "[]", "rope_parameters is []; expected an object"},
      {"rope_parameters", "{}", "rope_parameters.rope_type is absent; expected llama3 or default"},
      {"rope_parameters", R"({"rope_type": "yarn"})",
       "rope_parameters.rope_type is \"yarn\"; expected llama3 or default"},
      {"rope_parameters", R"({"rope_type": "llama3"})",
       "rope_parameters.factor is absent; expected a positive number within binary32"},
      {"rope_parameters", R"({"rope_type": "default", "rope_theta": 1})",
       "rope_parameters.rope_theta is 1; expected a number above 1, at most 2^40"},
      {"model_type", "\"llama\"", "model_type is \"llama\"; expected llama4_text"},
      {"hidden_act", "\"gelu\"", "hidden_act is \"gelu\"; expected silu"},
      {"attention_bias", "true", "attention_bias is true; expected false"},
      {"text_config", "3", "text_config is 3; expected an object"},
  };
  for (const Wrong& wrong : all) {
    json config = With(Small(), wrong.key, wrong.value);
    if (std::string(wrong.key) == "text_config") config.erase("model_type");
    EXPECT_EQ(ErrorOf([&] { Read(config); }), std::string("config.json: ") + wrong.message);
  }
}

TEST(HuggingFaceConfig, SizesAreNeverGuessed) {
  for (const char* key : {"vocab_size", "hidden_size", "num_hidden_layers", "num_attention_heads",
                          "num_key_value_heads", "num_local_experts", "intermediate_size"}) {
    json config = Small();
    config.erase(key);
    EXPECT_EQ(
        ErrorOf([&] { Read(config); }).find(std::string("config.json: ") + key + " is absent"), 0u);
  }
  json config = Small();
  config.erase("head_dim");
  EXPECT_EQ(ErrorOf([&] { Read(config); }),
            "config.json: head_dim is absent; expected its value: hidden_size / "
            "num_attention_heads is 16, but the default of Hugging Face is 128");
  config = With(Small(), "moe_layers", "[]");
  config.erase("intermediate_size_mlp");
  EXPECT_EQ(ErrorOf([&] { Read(config); }).find("config.json: intermediate_size_mlp is absent"),
            0u);
  config = Small();
  config.erase("moe_layers");
  config["interleave_moe_layer_step"] = 0;
  EXPECT_EQ(ErrorOf([&] {
              Read(config);
            }).find("config.json: interleave_moe_layer_step is 0; expected a whole"),
            0u);
}

TEST(HuggingFaceConfig, RefusesTextThatIsNoObject) {
  for (const char* text : {"", "{", "[]x", "{\"hidden_size\": NaN}", "{\"hidden_size\": 1e999}",
                           "{} {}", "{\"a\": \"\xff\"}"}) {
    EXPECT_EQ(ErrorOfText(text).find("config.json: no valid JSON ("), 0u) << text;
  }
  EXPECT_EQ(ErrorOfText("[1]"), "config.json: holds [1]; expected one object");
  EXPECT_EQ(ErrorOfText(R"({"x": {"a": 1, "a": 2}})"),
            "config.json: key \"a\" stands twice in one object; expected once");
  EXPECT_EQ(ErrorOfText("{\"x\": " + std::string(100000, '[')),
            "config.json: nested deeper than 32; expected a flat configuration");
}

TEST(HuggingFaceConfig, EveryTruncationIsRefused) {
  const std::string text = Small().dump();
  for (size_t length = 0; length < text.size(); ++length) {
    EXPECT_NE(ErrorOfText(text.substr(0, length)), "nothing was thrown");
  }
}

// A byte 0 would end the parser's input: what stands behind it must not pass unseen.
TEST(HuggingFaceConfig, AByteZeroIsRefused) {
  const std::string text = Small().dump();
  EXPECT_NE(ErrorOfText(text + std::string(1, '\0') + "garbage").find("byte 0"), std::string::npos);
  EXPECT_NE(ErrorOfText(text + std::string(1, '\0')).find("byte 0"), std::string::npos);
}

TEST(HuggingFaceConfig, AnyWrongTypeIsABadCheckpointOrIgnored) {
  const json small = Small();
  for (const auto& [key, value] : small.items()) {
    for (const char* other : {"null", "true", "-1", "0.5", "\"x\"", "[]", "[null]", "{}"}) {
      try {
        Read(With(small, key, other));
      } catch (const BadCheckpoint& error) {
        EXPECT_NE(std::string(error.what()).find("; expected "), std::string::npos);
      }
    }
  }
}

}  // namespace
}  // namespace touchstone::checkpoint
