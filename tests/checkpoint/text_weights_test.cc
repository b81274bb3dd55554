#include "reference/checkpoint/text_weights.h"

#include <gtest/gtest.h>

#include <bit>
#include <fstream>
#include <numeric>
#include <string>
#include <vector>

#include "reference/checkpoint/text_tensors.h"
#include "tests/checkpoint/written_model.h"

namespace touchstone::checkpoint {
namespace {

constexpr char kConfigJson[] = R"({
  "model_type": "llama4_text", "vocab_size": 11, "hidden_size": 6, "num_attention_heads": 4,
  "num_key_value_heads": 2, "head_dim": 4, "intermediate_size_mlp": 9, "num_local_experts": 3,
  "num_experts_per_tok": 1, "intermediate_size": 5, "num_hidden_layers": 3, "use_qk_norm": false,
  "attn_temperature_tuning": false, "attention_chunk_size": null, "no_rope_layers": [1, 1, 0],
  "moe_layers": [0, 2]})";

// Everything that TextWeights gives, by names of the test's own.
NamedTensors AllPieces(TextWeights* weights, const TextConfig& config) {
  NamedTensors pieces;
  std::vector<int64_t> ids(static_cast<size_t>(config.vocabulary));
  std::iota(ids.begin(), ids.end(), 0);
  pieces["embedding"] = weights->EmbeddingRows(ids);
  pieces["final_norm"] = weights->FinalNorm();
  pieces["lm_head"] = weights->LmHeadRows(0, config.vocabulary);
  for (int64_t l = 0; l < static_cast<int64_t>(config.layers.size()); ++l) {
    const std::string p = std::to_string(l) + "/";
    const auto layer = weights->Layer(l);
    pieces[p + "attention_norm"] = layer->attention_norm;
    pieces[p + "q"] = layer->q;
    pieces[p + "k"] = layer->k;
    pieces[p + "v"] = layer->v;
    pieces[p + "o"] = layer->o;
    pieces[p + "feed_forward_norm"] = layer->feed_forward_norm;
    pieces[p + "gate"] = layer->gate;
    pieces[p + "up"] = layer->up;
    pieces[p + "down"] = layer->down;
    pieces[p + "router"] = layer->router;
    if (!config.layers[static_cast<size_t>(l)].is_moe) continue;
    for (int64_t e = 0; e < config.experts; ++e) {
      const auto expert = weights->Expert(l, e);
      const std::string x = p + "expert " + std::to_string(e) + "/";
      pieces[x + "gate"] = expert->gate;
      pieces[x + "up"] = expert->up;
      pieces[x + "down"] = expert->down;
    }
  }
  return pieces;
}

// Of SmallConfig: 3 tables, 10 pieces a layer, 3 a routed expert.
constexpr size_t kPieces = 3 + 3 * 10 + 2 * 3 * 3;

NamedTensors Read(const TemporaryFolder& folder, Dtype recipe, int64_t kept_bytes = kKeptBytes) {
  const auto weights = OpenTextWeights(folder.path(), SmallConfig(), recipe, kept_bytes);
  EXPECT_EQ(weights->storage(), recipe);
  return AllPieces(weights.get(), SmallConfig());
}

void ExpectSame(const NamedTensors& a, const NamedTensors& b) {
  ASSERT_EQ(a.size(), kPieces);
  ASSERT_EQ(b.size(), kPieces);
  for (const auto& [name, tensor] : a) {
    ASSERT_EQ(b.count(name), 1u) << name;
    EXPECT_EQ(tensor.dtype, b.at(name).dtype) << name;
    EXPECT_EQ(tensor.shape, b.at(name).shape) << name;
    EXPECT_EQ(tensor.data, b.at(name).data) << name;
  }
}

TEST(TextWeights, HuggingFacePieceByPiece) {
  const TemporaryFolder folder;
  NamedTensors model = HuggingFaceModel(Dtype::kBf16);
  WriteModel(folder, model);
  NamedTensors pieces = Read(folder, Dtype::kBf16);
  ASSERT_EQ(pieces.size(), kPieces);
  const auto expect = [&](const std::string& piece, const std::string& name) {
    EXPECT_EQ(pieces.at(piece).shape, model.at(name).shape) << piece;
    EXPECT_EQ(pieces.at(piece).data, model.at(name).data) << piece;
  };
  expect("embedding", "model.embed_tokens.weight");
  expect("final_norm", "model.norm.weight");
  expect("lm_head", "lm_head.weight");
  for (const std::string l : {"0", "1", "2"}) {
    const std::string p = "model.layers." + l + ".";
    const std::string ffn = p + (l == "1" ? "feed_forward." : "feed_forward.shared_expert.");
    expect(l + "/attention_norm", p + "input_layernorm.weight");
    expect(l + "/q", p + "self_attn.q_proj.weight");
    expect(l + "/k", p + "self_attn.k_proj.weight");
    expect(l + "/v", p + "self_attn.v_proj.weight");
    expect(l + "/o", p + "self_attn.o_proj.weight");
    expect(l + "/feed_forward_norm", p + "post_attention_layernorm.weight");
    expect(l + "/gate", ffn + "gate_proj.weight");
    expect(l + "/up", ffn + "up_proj.weight");
    expect(l + "/down", ffn + "down_proj.weight");
    if (l == "1") {
      EXPECT_EQ(pieces.at("1/router").shape, (std::vector<int64_t>{0, 6}));
      continue;
    }
    expect(l + "/router", p + "feed_forward.router.weight");
    for (int64_t e = 0; e < 3; ++e) {
      const std::string x = l + "/expert " + std::to_string(e) + "/";
      const Tensor &gate = pieces.at(x + "gate"), &up = pieces.at(x + "up"),
                   &down = pieces.at(x + "down");
      EXPECT_EQ(gate.shape, (std::vector<int64_t>{6, 5}));
      EXPECT_EQ(up.shape, (std::vector<int64_t>{6, 5}));
      EXPECT_EQ(down.shape, (std::vector<int64_t>{5, 6}));
      const Tensor& gate_up = model.at(p + "feed_forward.experts.gate_up_proj");
      const Tensor& downs = model.at(p + "feed_forward.experts.down_proj");
      for (int64_t c = 0; c < 6; ++c) {
        for (int64_t f = 0; f < 5; ++f) {
          EXPECT_EQ(gate.Real(c * 5 + f), gate_up.Real((e * 6 + c) * 10 + f));
          EXPECT_EQ(up.Real(c * 5 + f), gate_up.Real((e * 6 + c) * 10 + 5 + f));
          EXPECT_EQ(down.Real(f * 6 + c), downs.Real((e * 5 + f) * 6 + c));
        }
      }
    }
  }
}

TEST(TextWeights, BothWorldsShardedOrNotKeptOrNotGiveTheSamePieces) {
  for (const Dtype recipe : {Dtype::kF32, Dtype::kBf16}) {
    const NamedTensors model = HuggingFaceModel(Dtype::kBf16);
    const TemporaryFolder one, sharded, meta, meta_sharded;
    WriteModel(one, model);
    WriteSharded(sharded, model);
    WriteModel(meta, InMetaLayout(model));
    WriteSharded(meta_sharded, InMetaLayout(model));
    const NamedTensors pieces = Read(one, recipe);
    for (const TemporaryFolder* folder : {&one, &sharded, &meta, &meta_sharded}) {
      ExpectSame(pieces, Read(*folder, recipe));
      ExpectSame(pieces, Read(*folder, recipe, 0));
    }
  }
}

TEST(TextWeights, ThePrefixOfTheTextModelAndAVisionTowerBesideIt) {
  const NamedTensors model = HuggingFaceModel(Dtype::kBf16);
  NamedTensors prefixed;
  for (const auto& [name, tensor] : model) prefixed["language_model." + name] = tensor;
  prefixed["vision_model.class_embedding"] = prefixed["multi_modal_projector.linear_1.weight"] =
      Tensor(Dtype::kF32, {1});
  const TemporaryFolder plain, beside;
  WriteModel(plain, model);
  WriteModel(beside, prefixed);
  ExpectSame(Read(plain, Dtype::kBf16), Read(beside, Dtype::kBf16));
}

TEST(TextWeights, RecipesWidenExactlyAndNarrowOnce) {
  const TemporaryFolder bf16, f32, third;
  WriteModel(bf16, HuggingFaceModel(Dtype::kBf16));
  WriteModel(f32, HuggingFaceModel(Dtype::kF32));
  ExpectSame(Read(bf16, Dtype::kF32), Read(f32, Dtype::kF32));
  ExpectSame(Read(bf16, Dtype::kBf16), Read(f32, Dtype::kBf16));

  const float step = 1.0f / 3.0f;
  WriteModel(third, HuggingFaceModel(Dtype::kF32, step));
  const NamedTensors wide = Read(third, Dtype::kF32), narrow = Read(third, Dtype::kBf16);
  ASSERT_EQ(narrow.size(), kPieces);
  int rounded = 0;
  for (const auto& [name, tensor] : wide) {
    const Tensor& other = narrow.at(name);
    ASSERT_EQ(other.dtype, Dtype::kBf16);
    ASSERT_EQ(other.shape, tensor.shape) << name;
    for (int64_t i = 0; i < tensor.count(); ++i) {
      EXPECT_EQ(other.values<Bf16>()[i], NarrowToBf16(tensor.values<float>()[i])) << name;
      rounded += tensor.Real(i) != other.Real(i) ? 1 : 0;
    }
  }
  EXPECT_GT(rounded, 1000);
}

TEST(TextWeights, RowsOfTheTables) {
  const TemporaryFolder folder;
  WriteModel(folder, HuggingFaceModel(Dtype::kBf16));
  const NamedTensors model = HuggingFaceModel(Dtype::kBf16);
  for (const int64_t kept_bytes : {kKeptBytes, int64_t{0}}) {
    const auto weights = OpenTextWeights(folder.path(), SmallConfig(), Dtype::kF32, kept_bytes);
    const std::vector<int64_t> ids = {10, 0, 10};
    const Tensor rows = weights->EmbeddingRows(ids);
    EXPECT_EQ(rows.shape, (std::vector<int64_t>{3, 6}));
    const Tensor head = weights->LmHeadRows(9, 2);
    EXPECT_EQ(head.shape, (std::vector<int64_t>{2, 6}));
    for (int64_t c = 0; c < 6; ++c) {
      for (int64_t t = 0; t < 3; ++t) {
        EXPECT_EQ(rows.Real(t * 6 + c),
                  model.at("model.embed_tokens.weight").Real(ids[static_cast<size_t>(t)] * 6 + c));
      }
      EXPECT_EQ(head.Real(c), model.at("lm_head.weight").Real(9 * 6 + c));
    }
    EXPECT_EQ(weights->EmbeddingRows({}).shape, (std::vector<int64_t>{0, 6}));
    EXPECT_EQ(weights->LmHeadRows(11, 0).shape, (std::vector<int64_t>{0, 6}));
    EXPECT_THROW(weights->EmbeddingRows({11}), ContractViolation);
    EXPECT_THROW(weights->EmbeddingRows({-1}), ContractViolation);
    EXPECT_THROW(weights->LmHeadRows(9, 3), ContractViolation);
    EXPECT_THROW(weights->Layer(3), ContractViolation);
    EXPECT_THROW(weights->Expert(0, 3), ContractViolation);
    EXPECT_THROW(weights->Expert(1, 0), ContractViolation);
  }
  EXPECT_THROW(OpenTextWeights(folder.path(), SmallConfig(), Dtype::kE4m3), ContractViolation);
}

TEST(TextWeights, OnlyASmallModelIsKept) {
  const TemporaryFolder folder;
  WriteModel(folder, HuggingFaceModel(Dtype::kBf16));
  const int64_t bytes = 4 * ParameterCount(SmallConfig());
  const auto kept = OpenTextWeights(folder.path(), SmallConfig(), Dtype::kF32, bytes);
  EXPECT_EQ(kept->Layer(1), kept->Layer(1));
  EXPECT_EQ(kept->Expert(2, 1), kept->Expert(2, 1));
  const auto streamed = OpenTextWeights(folder.path(), SmallConfig(), Dtype::kF32, bytes - 1);
  const auto layer = streamed->Layer(1);
  EXPECT_NE(layer, streamed->Layer(1));
  EXPECT_EQ(layer.use_count(), 1);
  EXPECT_EQ(streamed->Expert(2, 1).use_count(), 1);
}

// A change of the model and the complaint that it must give.
template <typename Change>
void Refused(NamedTensors model, Change change, const std::string& text) {
  change(model);
  const TemporaryFolder folder;
  WriteModel(folder, model);
  ExpectBad([&] { OpenTextWeights(folder.path(), SmallConfig(), Dtype::kF32); }, text);
}

TEST(TextWeights, EveryTensorOfTheModelMustBeThereAndInShape) {
  const NamedTensors hf = HuggingFaceModel(Dtype::kBf16);
  for (const NamedTensors& model : {hf, InMetaLayout(hf)}) {
    for (const auto& entry : model) {
      const std::string& name = entry.first;
      SCOPED_TRACE(name);
      const auto erase = [&](NamedTensors& m) { m.erase(name); };
      if (name == "model.embed_tokens.weight" || name == "tok_embeddings.weight") {
        Refused(model, erase, "no embedding, expected model.embed_tokens.weight (Hugging Face)");
      } else if (name != "lm_head.weight" && name != "output.weight") {
        Refused(model, erase, "'" + name + "' is absent, expected shape (");
      }
      std::vector<int64_t> longer = entry.second.shape, flat = {1, entry.second.count()};
      ++longer.back();
      for (const std::vector<int64_t>& shape : {longer, flat}) {
        const auto reshape = [&](NamedTensors& m) { m[name] = Tensor(Dtype::kBf16, shape); };
        Refused(model, reshape, "'" + name + "' has shape (");
      }
    }
  }
}

TEST(TextWeights, TheMessageSaysWhereWhatAndWhatWasExpected) {
  const TemporaryFolder folder;
  NamedTensors model = HuggingFaceModel(Dtype::kBf16);
  model["model.layers.1.self_attn.k_proj.weight"] = Tensor(Dtype::kBf16, {6, 8});
  WriteModel(folder, model);
  ExpectBad([&] { OpenTextWeights(folder.path(), SmallConfig(), Dtype::kF32); },
            folder.File("model.safetensors") +
                ": 'model.layers.1.self_attn.k_proj.weight' has shape (6, 8), expected (8, 6) by "
                "the configuration");
}

TEST(TextWeights, UnknownTensorsAreRefused) {
  const NamedTensors hf = HuggingFaceModel(Dtype::kBf16), meta = InMetaLayout(hf);
  const auto extra = [](const NamedTensors& model, const std::string& name,
                        const std::string& text) {
    SCOPED_TRACE(name);
    Refused(
        model, [&](NamedTensors& m) { m[name] = Tensor(Dtype::kBf16, {1}); },
        "'" + name + "' is unknown, expected " + text);
  };
  extra(hf, "model.layers.3.input_layernorm.weight", "layers 0 to 2, as the configuration has");
  extra(hf, "model.layers.1.feed_forward.router.weight",
        "no such tensor in layer 1, which is dense by the configuration");
  extra(hf, "model.layers.0.feed_forward.gate_proj.weight",
        "no such tensor in layer 0, which is MoE by the configuration");
  extra(hf, "model.layers.0.self_attn.q_proj.bias", "no such tensor in layer 0");
  extra(hf, "model.layers.0.feed_forward.experts.down_proj_scale", "no such tensor in layer 0");
  extra(hf, "model.layers.x.input_layernorm.weight", "no such tensor in a text model");
  extra(hf, "model.layers.99999999999999999999.y", "no such tensor in a text model");
  extra(hf, "tok_embeddings.weight", "no such tensor in a text model with the names of Hugging");
  extra(hf, "rope.freqs", "no such tensor in a text model");
  extra(meta, "layers.3.attention.wo.weight", "layers 0 to 2, as the configuration has");
  extra(meta, "layers.0.feed_forward.mlp.fc2_weight", "no such tensor in layer 0, which is MoE");
  extra(meta, "lm_head.weight", "no such tensor in a text model with the names of Meta");
}

TEST(TextWeights, WhatMetaReleasesAndNeverReadsIsAllowedThere) {
  const NamedTensors hf = HuggingFaceModel(Dtype::kBf16);
  NamedTensors meta = InMetaLayout(hf);
  for (const char* name :
       {"rope.freqs", "layers.0.feed_forward.expert_activation_DE",
        "layers.0.feed_forward.global_gate_stats_3E", "vision_embeddings.x",
        "layers.0.feed_forward.running_gate_stats_3E", "vision_projection.weight"}) {
    meta[name] = Tensor(Dtype::kF32, {2});
  }
  const TemporaryFolder folder, plain;
  WriteModel(folder, meta);
  WriteModel(plain, hf);
  ExpectSame(Read(plain, Dtype::kF32), Read(folder, Dtype::kF32));
}

TEST(TextWeights, OtherDtypesAreRefused) {
  const TemporaryFolder folder;
  std::string file = FileOfTensors(HuggingFaceModel(Dtype::kBf16));
  const std::string name = "model.norm.weight";
  const size_t at = file.find("BF16", file.find("\"" + name + "\""));
  file.replace(at, 4, "I16 ").replace(at, 5, "I16\" ");  // the same length and data
  folder.Write("model.safetensors", file);
  ExpectBad([&] { OpenTextWeights(folder.path(), SmallConfig(), Dtype::kF32); },
            "'model.norm.weight' has dtype I16, expected F32 or BF16");
}

TEST(TextWeights, ATiedModelHasNoLmHead) {
  TextConfig tied = SmallConfig();
  tied.tied_lm_head = true;
  const TemporaryFolder with, without, meta;
  NamedTensors model = HuggingFaceModel(Dtype::kBf16);
  WriteModel(with, model);
  ExpectBad([&] { OpenTextWeights(with.path(), tied, Dtype::kF32); },
            "'lm_head.weight' is there, expected none");
  model.erase("lm_head.weight");
  WriteModel(without, model);
  WriteModel(meta, InMetaLayout(model));
  for (const TextConfig& config : {tied, SmallConfig()}) {
    for (const TemporaryFolder* folder : {&without, &meta}) {
      const auto weights = OpenTextWeights(folder->path(), config, Dtype::kBf16);
      EXPECT_EQ(weights->LmHeadRows(0, 11).data, model.at("model.embed_tokens.weight").data);
    }
  }
}

TEST(TextModelFolder, ConfigurationNotesAndWeights) {
  const TemporaryFolder folder;
  folder.Write("config.json", kConfigJson);
  NamedTensors model = HuggingFaceModel(Dtype::kBf16);
  WriteModel(folder, model);
  TextModelFolder opened = OpenTextModel(folder.path(), Dtype::kBf16);
  EXPECT_EQ(opened.config_file, folder.File("config.json"));
  EXPECT_EQ(opened.config.text, SmallConfig());
  EXPECT_TRUE(opened.config.notes.empty());
  ExpectSame(AllPieces(opened.weights.get(), opened.config.text), Read(folder, Dtype::kBf16));

  model.erase("lm_head.weight");
  WriteModel(folder, model);
  opened = OpenTextModel(folder.path(), Dtype::kBf16);
  EXPECT_TRUE(opened.config.text.tied_lm_head);
  ASSERT_EQ(opened.config.notes.size(), 1u);
  EXPECT_NE(opened.config.notes[0].find("lm_head.weight is absent; the embedding takes its place"),
            std::string::npos);
}

TEST(TextModelFolder, ParamsJsonBesideMetasNames) {
  const TemporaryFolder folder;
  // D is C / H in Meta's world: two heads of 3 pairs, where C is 12.
  folder.Write("params.json", R"({"dim": 12, "n_layers": 1, "n_heads": 2, "n_kv_heads": 1,
    "vocab_size": 11, "multiple_of": 1, "ffn_dim_multiplier": 0.25, "norm_eps": 1e-5})");
  int next = 0;
  NamedTensors model;
  const auto add = [&](const std::string& name, std::vector<int64_t> shape) {
    model[name] = Numbered(std::move(shape), Dtype::kBf16, &next);
  };
  add("tok_embeddings.weight", {11, 12});
  add("norm.weight", {12});
  add("output.weight", {11, 12});
  add("layers.0.attention.wqkv.layer_norm_weight", {12});
  add("layers.0.attention.wqkv.weight", {24, 12});
  add("layers.0.attention.wo.weight", {12, 12});
  add("layers.0.feed_forward.mlp.layer_norm_weight", {12});
  add("layers.0.feed_forward.mlp.fc1_weight", {16, 12});
  add("layers.0.feed_forward.mlp.fc2_weight", {12, 8});
  WriteModel(folder, model);
  const TextModelFolder opened = OpenTextModel(folder.path(), Dtype::kF32);
  EXPECT_EQ(opened.config_file, folder.File("params.json"));
  EXPECT_FALSE(opened.config.notes.empty());
  EXPECT_EQ(opened.weights->Layer(0)->gate.shape, (std::vector<int64_t>{8, 12}));
}

TEST(TextModelFolder, WhatIsNoModelIsRefused) {
  const TemporaryFolder folder;
  const auto open = [&] { OpenTextModel(folder.path(), Dtype::kF32); };
  ExpectBad(open, folder.path().string() + ": neither config.json nor params.json");
  folder.Write("config.json", kConfigJson);
  ExpectBad(open, "neither model.safetensors nor model.safetensors.index.json, expected one of");
  folder.Write("consolidated.01.pth", "PK");
  folder.Write("consolidated.00.pth", "PK");
  ExpectBad(open, "'consolidated.00.pth' and its like are pickles");
  ExpectBad([&] { OpenTextModel(folder.File("none"), Dtype::kF32); }, "none: neither config.json");
}

TEST(TextTensors, BothWorldsHoldAsManyNumbersAsTheFormulaCounts) {
  const auto counted = [](const TextConfig& config, NameWorld world) {
    int64_t count = 0;
    for (const TextTensor& tensor : TextTensors(config, world)) {
      int64_t size = 1;
      for (const int64_t extent : tensor.shape) size *= extent;
      count += size;
    }
    return count;
  };
  TextConfig tied = SmallConfig();
  tied.tied_lm_head = true;
  for (const TextConfig& config : {Scout(), Maverick(), LlamaGuard4(), SmallConfig(), tied}) {
    for (const NameWorld world : {NameWorld::kHuggingFace, NameWorld::kMeta}) {
      EXPECT_EQ(counted(config, world), ParameterCount(config));
    }
  }
}

// Bytes of this process's memory that are pages of the file.
size_t ResidentBytes(const std::string& path) {
  std::ifstream maps("/proc/self/smaps");
  std::string line;
  bool is_file = false;
  size_t kilobytes = 0;
  while (std::getline(maps, line)) {
    if (line.find('-') != std::string::npos && line.find(':') > line.find(' ')) {
      is_file = line.ends_with(path);
    } else if (is_file && line.starts_with("Rss:")) {
      kilobytes += std::stoul(line.substr(4));
    }
  }
  return kilobytes << 10;
}

TEST(TextWeights, NoPageOfTheFileStaysInMemory) {
  const TemporaryFolder folder;
  const int64_t rows = 1 << 12;
  TextConfig config = SmallConfig();
  config.channels = 1 << 10;
  config.vocabulary = rows;
  config.layers.resize(1);
  config.layers[0].is_moe = false;
  NamedTensors model;
  for (const TextTensor& tensor : TextTensors(config, NameWorld::kHuggingFace)) {
    model[tensor.name] = Tensor(Dtype::kBf16, tensor.shape);
  }
  WriteModel(folder, model);
  const std::string file = folder.File("model.safetensors");
  const auto weights = OpenTextWeights(folder.path(), config, Dtype::kF32, 0);
  EXPECT_EQ(ResidentBytes(file), 0u);
  {
    // The measure itself can see a mapped page.
    const MappedFile mapped(file);
    volatile std::byte first = mapped.bytes()[0];
    static_cast<void>(first);
    EXPECT_GT(ResidentBytes(file), 0u);
  }
  EXPECT_EQ(weights->LmHeadRows(0, rows).data.size(), size_t{4} << 22);
  weights->Layer(0);
  EXPECT_EQ(ResidentBytes(file), 0u);
}

}  // namespace
}  // namespace touchstone::checkpoint
