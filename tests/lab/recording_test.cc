// Files of three kinds of names become the same paths and rows; what does not fit is refused with
// file, place, found and expected.
#include "lab/recording/recording.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <string>
#include <vector>

#include "lab/recording/activation.h"
#include "lab/recording/foreign_names.h"
#include "lab/repository.h"
#include "reference/model/activation_paths.h"
#include "tests/lab/recorded_model.h"
#include "tests/temporary_folder.h"

namespace touchstone::lab {
namespace {

using golden::Writer;
using Shape = std::vector<int64_t>;
using Strings = std::vector<std::string>;

class RecordingTest : public testing::Test {
 protected:
  std::string Write(const std::function<void(Writer* writer)>& write) const {
    WriteRecording(file_, write);
    return file_;
  }

  // The text of the BadFile that opening, or reading everything, throws.
  std::string Refused(const std::function<void(Writer* writer)>& write) const {
    WriteRecording(file_, write);
    return RefusedFile();
  }
  std::string RefusedFile() const {
    try {
      const Recording recording(file_, config_);
      for (const RecordedRun& run : recording.runs()) {
        for (const std::string& path : run.paths) {
          for (int64_t b = 0; b < recording.inputs().batch; ++b) recording.Read(run, path, b);
        }
      }
    } catch (const golden::BadFile& error) {
      return error.what();
    }
    return "";
  }
  std::string RefusedInputs(const std::function<void(Writer* writer)>& write) const {
    {
      Writer writer(file_);
      write(&writer);
      writer.Close();
    }
    return RefusedFile();
  }

  static void ExpectHas(const std::string& text, const Strings& parts) {
    for (const std::string& part : parts) {
      EXPECT_NE(text.find(part), std::string::npos) << "'" << text << "' lacks '" << part << "'";
    }
  }

  TemporaryFolder folder_;
  std::string file_ = folder_.File("recording.h5");
  TextConfig config_ = SmallConfig();
};

// Elements of some of the sequence's rows in a tensor (B, T, ...), B = 2, T = 3.
std::vector<std::byte> RowsOf(const Tensor& whole, int64_t sequence, int64_t count,
                              int64_t first = 0) {
  const auto row = static_cast<std::ptrdiff_t>(whole.data.size() / 6);
  const auto begin = whole.data.begin() + row * (3 * sequence + first);
  return {begin, begin + row * count};
}

// Every path of the model has its place, letters and order, and reads back from a trace.
TEST_F(RecordingTest, ReadsATraceOfEveryPath) {
  const Strings paths = ActivationPaths(config_);
  std::vector<Tensor> tensors;
  Write([&](Writer* writer) {
    for (const std::string& path : paths) {
      const auto activation = FindActivation(path);
      ASSERT_TRUE(activation) << path;
      Shape shape{2, 3};
      for (const int64_t extent : ExtentsOf(*activation, config_)) shape.push_back(extent);
      tensors.push_back(IsInteger(path)
                            ? Integers(shape, {0, 1, 2, 2, 1, 0})
                            : Filled(Dtype::kF32, shape, 1 + static_cast<int64_t>(tensors.size())));
      writer->Write(path, tensors.back());
    }
    writer->WriteText("", "made_by", "a test");
    writer->WriteNumber("", "prefill", 2);
  });
  const Recording recording(file_, config_);
  EXPECT_TRUE(recording.is_trace());
  EXPECT_EQ(recording.made_by(), "a test");
  EXPECT_EQ(recording.recipe(), Dtype::kF32);
  EXPECT_EQ(recording.inputs().lengths, (Shape{3, 2}));
  EXPECT_EQ(recording.inputs().ids_of(1), (Shape{4, 5}));
  ASSERT_EQ(recording.runs().size(), 1u);
  const RecordedRun& run = recording.runs()[0];
  EXPECT_EQ(run.name, "prefill");
  EXPECT_EQ(run.prefill, 2);
  EXPECT_EQ(run.paths, paths);
  EXPECT_TRUE(run.copies.empty());
  for (size_t i = 0; i < paths.size(); ++i) {
    for (const int64_t b : {0, 1}) {
      const Tensor got = recording.Read(run, paths[i], b);
      EXPECT_EQ(got.shape[0], 3 - b);
      EXPECT_EQ(Shape(got.shape.begin() + 1, got.shape.end()),
                ExtentsOf(*FindActivation(paths[i]), config_));
      EXPECT_EQ(got.data, RowsOf(tensors[i], b, 3 - b)) << paths[i];
    }
    EXPECT_EQ(recording.ReadTokens(run, paths[i], 1, 1, 1).data, RowsOf(tensors[i], 1, 1, 1));
  }
}

struct Named {
  std::string name, path;
  Shape row;  // as it is recorded
  bool is_copy = false;
};

// A file of such names reads as such paths, whatever the prefix and the shape of the tokens.
void ExpectNames(const std::string& file, const TextConfig& config, const std::string& prefix,
                 const std::vector<Named>& names, bool flat) {
  WriteRecording(file, [&](Writer* writer) {
    for (size_t i = 0; i < names.size(); ++i) {
      Shape shape = flat ? Shape{6} : Shape{2, 3};
      shape.insert(shape.end(), names[i].row.begin(), names[i].row.end());
      writer->Write(prefix + names[i].name,
                    Filled(Dtype::kBf16, shape, 1 + static_cast<int64_t>(i)));
    }
  });
  const Recording recording(file, config);
  EXPECT_EQ(recording.recipe(), Dtype::kBf16);
  ASSERT_EQ(recording.runs().size(), 1u);
  const RecordedRun& run = recording.runs()[0];
  size_t copies = 0;
  for (size_t i = 0; i < names.size(); ++i) {
    SCOPED_TRACE(names[i].name);
    const std::string dataset = prefix + names[i].name;
    ASSERT_TRUE(recording.Has(run, names[i].path));
    Shape shape{6};
    shape.insert(shape.end(), names[i].row.begin(), names[i].row.end());
    const auto rows = RowsOf(Filled(Dtype::kBf16, shape, 1 + static_cast<int64_t>(i)), 1, 2);
    if (names[i].is_copy) {
      const auto copy =
          std::find(run.copies.begin(), run.copies.end(), std::pair(dataset, names[i].path));
      ASSERT_NE(copy, run.copies.end());
      EXPECT_EQ(recording.ReadCopy(run, static_cast<size_t>(copy - run.copies.begin()), 1).data,
                rows);
      ++copies;
      continue;
    }
    EXPECT_EQ(recording.Dataset(run, names[i].path), dataset);
    EXPECT_EQ(recording.Read(run, names[i].path, 1).data, rows);
  }
  EXPECT_EQ(run.copies.size(), copies);
  EXPECT_EQ(run.paths.size(), names.size() - copies);
  EXPECT_TRUE(recording.unknown().empty());
}

TEST_F(RecordingTest, KnowsTransformersNames) {
  const std::string attention = "model.layers.0.self_attn.", ours = "layer.00/attention/";
  const std::vector<Named> names = {
      {"model.embed_tokens", "embedding", {4}},
      {"model.layers.0.input_layernorm", "layer.00/attention_norm", {4}},
      {attention + "q_proj", ours + "q", {12}},
      {attention + "k_proj", ours + "k", {6}},
      {attention + "v_proj", ours + "v", {6}},
      {attention + "qk_norm.q", ours + "q_norm", {2, 6}},
      {attention + "qk_norm.k", ours + "k_norm", {1, 6}},
      {attention + "o_proj.in", ours + "heads", {12}},
      {attention + "o_proj", ours + "output", {4}},
      {"model.layers.0.self_attn", ours + "output", {4}, true},
      {"model.layers.0.post_attention_layernorm", "layer.00/feed_forward_norm", {4}},
      {"model.layers.0.feed_forward.router.logits", "layer.00/feed_forward/router_logits", {3}},
      {"model.layers.0.feed_forward.experts.sum", "layer.00/feed_forward/routed", {4}},
      {"model.layers.0.feed_forward.shared_expert.gate_proj",
       "layer.00/feed_forward/shared_gate",
       {8}},
      {"model.layers.0.feed_forward.shared_expert.up_proj", "layer.00/feed_forward/shared_up", {8}},
      {"model.layers.0.feed_forward.shared_expert", "layer.00/feed_forward/shared", {4}},
      {"model.layers.0.feed_forward.shared_expert.down_proj",
       "layer.00/feed_forward/shared",
       {4},
       true},
      {"model.layers.0.feed_forward", "layer.00/feed_forward/output", {4}},
      {"model.layers.0", "layer.00/output", {4}},
      {"model.layers.2.feed_forward.gate_proj", "layer.02/feed_forward/gate", {5}},
      {"model.layers.2.feed_forward.up_proj", "layer.02/feed_forward/up", {5}},
      {"model.layers.2.feed_forward.down_proj", "layer.02/feed_forward/output", {4}},
      {"model.norm", "final_norm", {4}},
      {"lm_head", "output/logits", {7}},
  };
  for (const bool flat : {false, true}) {
    ExpectNames(folder_.File("t.h5"), config_, "activation/", names, flat);
    ExpectNames(folder_.File("t.h5"), config_, "activation/language_model.", names, flat);
  }
  // Layer 1 has no RoPE: the second layer with it is layer 2. What RoPE gave goes into QK norm.
  ExpectNames(folder_.File("t.h5"), config_, "activation/",
              {{"rope.t.0.q", "layer.00/attention/q_rope", {2, 6}},
               {"rope.t.1.q", "layer.02/attention/q_rope", {2, 6}},
               {"rope.t.1.k", "layer.02/attention/k_rope", {1, 6}},
               {"model.layers.2.self_attn.qk_norm.q.in", "layer.02/attention/q_rope", {2, 6}, true},
               {"model.layers.0.self_attn.qk_norm.k.in", "layer.00/attention/k_rope", {6}},
               {"model.rotary_emb", "rope_table", {3, 2}},
               {"model.norm", "final_norm", {4}}},
              false);
}

TEST_F(RecordingTest, KnowsMetasNames) {
  const std::vector<Named> names = {
      {"embed", "embedding", {4}},
      {"fused_embeddings", "embedding", {4}, true},
      {"layer.0.attention_norm", "layer.00/attention_norm", {4}},
      {"layer.0.attention.wq", "layer.00/attention/q", {12}},
      {"layer.0.attention.wk", "layer.00/attention/k", {6}},
      {"layer.0.attention.wv", "layer.00/attention/v", {6}},
      {"layer.0.attention.rope.q", "layer.00/attention/q_rope", {2, 6}},
      {"layer.0.attention.rope.k", "layer.00/attention/k_rope", {1, 6}},
      {"layer.0.attention.qk_norm.q", "layer.00/attention/q_norm", {2, 6}},
      {"layer.0.attention.qk_norm.k", "layer.00/attention/k_norm", {1, 6}},
      {"layer.0.attention.heads", "layer.00/attention/heads", {12}},
      {"layer.0.attention", "layer.00/attention/output", {4}},
      {"layer.0.ffn_norm", "layer.00/feed_forward_norm", {4}},
      {"layer.0.router.logits", "layer.00/feed_forward/router_logits", {3}},
      {"layer.0.routed", "layer.00/feed_forward/routed", {4}},
      {"layer.0.shared_expert", "layer.00/feed_forward/shared", {4}},
      {"layer.0.feed_forward", "layer.00/feed_forward/output", {4}},
      {"layer.0", "layer.00/output", {4}},
      {"norm", "final_norm", {4}},
      {"output", "output/logits", {7}},
  };
  for (const bool flat : {false, true}) {
    ExpectNames(folder_.File("m.h5"), config_, "activation/", names, flat);
  }
}

// Meta's q as attention takes it has its heads before its tokens.
TEST_F(RecordingTest, TurnsHeadsFirstIntoTokensFirst) {
  const Tensor q = Filled(Dtype::kF32, {2, 2, 3, 6}, 0);  // B, H, T, D
  Write([&](Writer* writer) {
    writer->Write("activation/layer.0.attention.qk_norm.q", Filled(Dtype::kF32, {2, 3, 2, 6}, 5));
    for (const char* layer : {"0", "1", "2"}) {
      writer->Write(std::string("activation/layer.") + layer + ".attention.q_final", q);
    }
  });
  const Recording recording(file_, config_);
  const RecordedRun& run = recording.runs()[0];
  const Tensor got = recording.Read(run, "layer.01/attention/q_temperature", 1);
  ASSERT_EQ(got.shape, (Shape{2, 2, 6}));
  for (int64_t t = 0; t < 2; ++t) {
    for (int64_t h = 0; h < 2; ++h) {
      for (int64_t d = 0; d < 6; ++d) {
        EXPECT_EQ(got.Real((t * 2 + h) * 6 + d), q.Real(((2 + h) * 3 + t) * 6 + d));
      }
    }
  }
  const Tensor second = recording.ReadTokens(run, "layer.01/attention/q_temperature", 1, 1, 1);
  EXPECT_EQ(second.data, std::vector<std::byte>(got.data.begin() + 48, got.data.end()));
  // Layer 0 has a QK norm, whose output it repeats; layer 2 has one that was not recorded.
  EXPECT_EQ(run.copies, (decltype(run.copies){{"activation/layer.0.attention.q_final",
                                               "layer.00/attention/q_norm"}}));
  EXPECT_TRUE(recording.Has(run, "layer.02/attention/q_norm"));
  EXPECT_EQ(recording.ReadCopy(run, 0, 0).shape, (Shape{3, 2, 6}));
}

TEST_F(RecordingTest, FindsChosenExpertsInScores) {
  config_.experts_a_token = 2;
  Tensor scores(Dtype::kF32, {6, 3}), logits(Dtype::kF32, {6, 3});
  const std::vector<float> values{0,     0.5f, 0.25f, 1,    0, 1, 0.5f, 0.5f, 0,
                                  -0.0f, 0.5f, 1,     0.5f, 1, 0, 0,    0,    0};
  for (size_t i = 0; i < values.size(); ++i) {
    scores.SetReal(static_cast<int64_t>(i), values[i]);
    logits.SetReal(static_cast<int64_t>(i), i == 5 ? 50.0f : values[i]);
  }
  const auto write = [&](Writer* writer, bool with_logits) {
    writer->Write("activation/layer.0.router.scores", scores);
    if (with_logits) writer->Write("activation/layer.0.router.logits", logits);
  };
  for (const bool with_logits : {false, true}) {
    Write([&](Writer* writer) { write(writer, with_logits); });
    const Recording recording(file_, config_);
    const RecordedRun& run = recording.runs()[0];
    ASSERT_TRUE(recording.Has(run, "layer.00/feed_forward/chosen"));
    EXPECT_EQ(recording.Read(run, "layer.00/feed_forward/scores", 0).shape, (Shape{3, 3}));
    const Tensor first = recording.Read(run, "layer.00/feed_forward/chosen", 0);
    ASSERT_EQ(first.shape, (Shape{3, 2}));
    const Shape wanted = with_logits ? Shape{1, 2, 2, 0, 0, 1} : Shape{1, 2, 0, 2, 0, 1};
    EXPECT_EQ(Shape(first.values<int64_t>(), first.values<int64_t>() + 6), wanted);
    const Tensor second = recording.Read(run, "layer.00/feed_forward/chosen", 1);
    EXPECT_EQ(Shape(second.values<int64_t>(), second.values<int64_t>() + 4), (Shape{2, 1, 1, 0}));
  }
  scores.SetReal(1, 0.0f);  // a chosen expert's may be 0: then the logits say which it was
  logits.SetReal(0, 2.0f);
  Write([&](Writer* writer) { write(writer, true); });
  const Recording recording(file_, config_);
  const Tensor chosen = recording.Read(recording.runs()[0], "layer.00/feed_forward/chosen", 0);
  EXPECT_EQ(Shape(chosen.values<int64_t>(), chosen.values<int64_t>() + 2), (Shape{2, 0}));
}

TEST_F(RecordingTest, FindsRunsInGroups) {
  const Tensor stream = Filled(Dtype::kBf16, {2, 3, 4}, 1);
  const Tensor logits = Filled(Dtype::kF32, {2, 3, 7}, 2);
  Write([&](Writer* writer) {
    writer->Write("activation/model.layers.0", stream);
    writer->Write("output/logits", logits);
    writer->Write("activation/lm_head", logits);
    writer->Write("decode/activation/model.layers.0", stream);
    writer->Write("decode/activation/lm_head", logits);
    writer->Write("output/logits_decode", logits);
    writer->WriteNumber("output/logits_decode", "prefill", 2);
    writer->Write("round_q/activation/layer.1", stream);
    writer->Write("round_q/output/logits_decode", logits);
    writer->Write("mine/layer.00/output", stream);
    writer->Write("diagnosis/output/logits", logits);
    writer->Write("round_q/diagnosis/output/logits", logits);
    writer->Write("preprocess/photo/pixel_values", stream);
    writer->Write("activation/vision_model.layernorm_pre", stream);
    writer->Write("activation/rope.v.0.q", stream);
  });
  const Recording recording(file_, config_);
  Strings names;
  for (const RecordedRun& run : recording.runs()) names.push_back(run.name);
  EXPECT_EQ(names, (Strings{"prefill", "decode", "mine", "round_q", "round_q/decode"}));
  const RecordedRun& decode = recording.runs()[1];
  EXPECT_EQ(decode.prefill, 2);
  EXPECT_EQ(recording.runs()[0].prefill, -1);
  EXPECT_EQ(decode.paths, (Strings{"layer.00/output", "output/logits"}));
  EXPECT_EQ(recording.Dataset(decode, "output/logits"), "output/logits_decode");
  EXPECT_EQ(decode.copies,
            (decltype(decode.copies){{"decode/activation/lm_head", "output/logits"}}));
  EXPECT_EQ(recording.runs()[4].paths, (Strings{"output/logits"}));
  EXPECT_EQ(recording.unknown(),
            (Strings{"activation/rope.v.0.q", "activation/vision_model.layernorm_pre",
                     "diagnosis/output/logits", "preprocess/photo/pixel_values",
                     "round_q/diagnosis/output/logits"}));
}

TEST_F(RecordingTest, PutsImagesIntoTheEmbedding) {
  const Tensor embedding = Filled(Dtype::kF32, {2, 3, 4}, 1);
  const Tensor images = Filled(Dtype::kF32, {3, 4}, 40);
  const auto write = [&](const Tensor& rows) {
    Writer writer(file_);
    writer.Write("input/input_ids", Integers({2, 3}, {6, 2, 6, 4, 6, 6}));
    writer.Write("input/lengths", Integers({2}, {3, 2}));  // the last 6 is padding
    writer.Write("activation/language_model.model.embed_tokens", embedding);
    writer.Write("activation/multi_modal_projector", rows);
    writer.Close();
  };
  write(images);
  const Recording recording(file_, config_, 6);
  const RecordedRun& run = recording.runs()[0];
  EXPECT_EQ(run.paths, (Strings{"embedding", "fused_embedding"}));
  const auto row = [](const Tensor& tensor, int64_t i) {
    return std::vector<std::byte>(tensor.data.begin() + i * 16, tensor.data.begin() + (i + 1) * 16);
  };
  const Tensor first = recording.Read(run, "fused_embedding", 0);
  EXPECT_EQ(row(first, 0), row(images, 0));
  EXPECT_EQ(row(first, 1), row(embedding, 1));
  EXPECT_EQ(row(first, 2), row(images, 1));
  const Tensor second = recording.ReadTokens(run, "fused_embedding", 1, 1, 1);
  EXPECT_EQ(row(second, 0), row(images, 2));
  EXPECT_EQ(recording.Read(run, "embedding", 0).data, RowsOf(embedding, 0, 3));
  EXPECT_FALSE(Recording(file_, config_).Has(run, "fused_embedding"));

  write(Filled(Dtype::kF32, {4, 4}, 40));
  try {
    const Recording bad(file_, config_, 6);
    FAIL();
  } catch (const golden::BadFile& error) {
    ExpectHas(error.what(), {"activation/multi_modal_projector: found f32 (4, 4)", "f32 (3, 4)",
                             "each of the 3 tokens 6"});
  }
}

TEST_F(RecordingTest, ReadsWithoutAModel) {
  Write([&](Writer* writer) {
    writer->Write("activation/model.layers.0.self_attn.q_proj", Filled(Dtype::kF32, {2, 3, 12}, 1));
    writer->Write("activation/rope.t.1.q", Filled(Dtype::kF32, {2, 3, 2, 6}, 2));
    writer->Write("activation/layer.1.attention.q_final", Filled(Dtype::kF32, {2, 2, 3, 6}, 3));
    writer->Write("activation/model.layers.40", Filled(Dtype::kF32, {6, 9}, 4));
  });
  const Recording recording(file_);
  const RecordedRun& run = recording.runs()[0];
  EXPECT_EQ(run.paths, (Strings{"layer.00/attention/q", "layer.01/attention/q_final",
                                "layer.40/output", "rope.t.1.q"}));
  EXPECT_EQ(recording.Read(run, "layer.00/attention/q", 1).shape, (Shape{2, 12}));
  EXPECT_EQ(recording.Read(run, "layer.01/attention/q_final", 1).shape, (Shape{2, 2, 6}));
  EXPECT_EQ(recording.Read(run, "layer.40/output", 1).shape, (Shape{2, 9}));
}

TEST_F(RecordingTest, TellsATraceFromOtherFiles) {
  const Recording inputs(RepositoryRoot() + "/golden/models/scout-tiny/input.h5");
  EXPECT_FALSE(inputs.is_trace());
  EXPECT_TRUE(inputs.runs().empty());
  EXPECT_EQ(inputs.inputs().tokens, 45);
}

TEST_F(RecordingTest, ListsTensorsThatTheModelDoesNotCompute) {
  Write([&](Writer* writer) {
    writer->Write("activation/layer.3", Filled(Dtype::kF32, {2, 3, 4}, 1));
    writer->Write("activation/layer.2.routed", Filled(Dtype::kF32, {2, 3, 4}, 1));
    writer->Write("activation/rope.t.2.q", Filled(Dtype::kF32, {2, 3, 2, 6}, 1));
    writer->Write("activation/norm", Filled(Dtype::kF32, {2, 3, 4}, 1));
  });
  const Recording recording(file_, config_);
  EXPECT_EQ(recording.surplus(), (std::vector<std::pair<std::string, std::string>>{
                                     {"activation/layer.2.routed", "layer.02/feed_forward/routed"},
                                     {"activation/layer.3", "layer.03/output"},
                                     {"activation/rope.t.2.q", "rope.t.2.q"}}));
  EXPECT_EQ(recording.runs()[0].paths, (Strings{"final_norm"}));
}

TEST_F(RecordingTest, RefusesTensorsThatDoNotFit) {
  const auto refused = [&](const std::string& dataset, const Tensor& tensor) {
    return Refused([&](Writer* writer) { writer->Write(dataset, tensor); });
  };
  const std::string norm = "activation/model.norm";
  ExpectHas(refused(norm, Filled(Dtype::kF32, {2, 3, 5}, 1)),
            {"recording.h5: activation/model.norm: found the shape (2, 3, 5), expected (2, 3, 4)"});
  ExpectHas(refused(norm, Filled(Dtype::kF32, {3, 2, 4}, 1)), {"(3, 2, 4)", "(2, 3, 4)"});
  ExpectHas(refused(norm, Filled(Dtype::kF32, {24}, 1)), {"(24)"});
  ExpectHas(refused(norm, Filled(Dtype::kF32, {}, 1)), {"the shape ()"});
  ExpectHas(refused(norm, Filled(Dtype::kF32, {0, 3, 4}, 1)), {"(0, 3, 4)"});
  ExpectHas(refused(norm, Integers({2, 3, 4}, Shape(24))),
            {"found dtype i64, expected f32 or bf16"});
  ExpectHas(refused(norm, Tensor(Dtype::kE4m3, {2, 3, 4})), {"found dtype e4m3"});
  ExpectHas(refused("layer.00/feed_forward/chosen", Integers({2, 3, 1}, {0, 1, 2, 2, 3, 0})),
            {"layer.00/feed_forward/chosen[b=1 t=1]: found expert 3, expected 0 to 2"});
  ExpectHas(refused("layer.00/feed_forward/chosen", Filled(Dtype::kF32, {2, 3, 1}, 1)),
            {"found dtype f32, expected i64"});
  ExpectHas(refused("activation/layer.0.attention.q_final", Filled(Dtype::kF32, {2, 3, 2, 6}, 1)),
            {"found the shape (2, 3, 2, 6), expected (2, H, 3, D)"});
  ExpectHas(refused("output/logits", Filled(Dtype::kF32, {2, 3, 8}, 1)), {"(2, 3, 7)"});
  const std::string twice = Refused([](Writer* writer) {
    writer->Write("activation/model.norm", Filled(Dtype::kF32, {2, 3, 4}, 1));
    writer->Write("activation/norm", Filled(Dtype::kF32, {2, 3, 4}, 1));
  });
  ExpectHas(twice,
            {"activation/norm: found a second tensor of final_norm", "activation/model.norm"});
  const std::string prefill = Refused([](Writer* writer) {
    writer->Write("output/logits_decode", Filled(Dtype::kF32, {2, 3, 7}, 1));
    writer->WriteNumber("output/logits_decode", "prefill", 4);
  });
  ExpectHas(prefill,
            {"output/logits_decode@prefill: found 4, expected a whole number from 1 to 3"});
}

TEST_F(RecordingTest, RefusesInputsThatDoNotFit) {
  const auto refused = [&](const std::vector<std::pair<std::string, Tensor>>& inputs) {
    return RefusedInputs([&](Writer* writer) {
      for (const auto& [name, tensor] : inputs) writer->Write("input/" + name, tensor);
    });
  };
  const Tensor ids = Integers({2, 3}, {1, 2, 3, 4, 5, 6});
  const std::pair<std::string, Tensor> good{"input_ids", ids};
  EXPECT_EQ(refused({good}), "");
  ExpectHas(refused({}), {"input/input_ids: found no such tensor"});
  ExpectHas(refused({{"input_ids", Integers({2, 0}, {})}}), {"found the shape (2, 0)"});
  ExpectHas(refused({{"input_ids", Integers({0, 2}, {})}}), {"found the shape (0, 2)"});
  ExpectHas(refused({{"input_ids", Integers({3}, {1, 2, 3})}}), {"found the shape (3)"});
  ExpectHas(refused({{"input_ids", Filled(Dtype::kF32, {2, 3}, 1)}}), {"found dtype f32"});
  ExpectHas(refused({{"input_ids", Integers({1, 2}, {1, 7})}}),
            {"input/input_ids[b=0 t=1]: found 7, expected an id from 0 to 6"});
  ExpectHas(refused({{"input_ids", Integers({1, 2}, {-1, 0})}}), {"[b=0 t=0]: found -1"});
  ExpectHas(refused({good, {"lengths", Integers({3}, {1, 1, 1})}}),
            {"input/lengths: found the shape (3), expected (2)"});
  ExpectHas(refused({good, {"lengths", Integers({2}, {0, 1})}}),
            {"[b=0]: found 0, expected 1 to 3"});
  ExpectHas(refused({good, {"lengths", Integers({2}, {3, 4})}}), {"[b=1]: found 4"});
  ExpectHas(refused({good, {"attention_mask", Integers({2, 3}, {1, 1, 1, 0, 1, 1})}}),
            {"input/attention_mask[b=1 t=1]: found a real token after padding",
             "padding on the right only"});
  ExpectHas(refused({good, {"attention_mask", Integers({2, 3}, {1, 0, 1, 1, 1, 1})}}),
            {"[b=0 t=2]: found a real token after padding"});
  ExpectHas(refused({good, {"attention_mask", Integers({2, 3}, {1, 1, 1, 0, 0, 0})}}),
            {"[b=1]: found no real token"});
  ExpectHas(refused({good, {"attention_mask", Integers({2, 3}, {1, 2, 1, 1, 1, 1})}}),
            {"[b=0 t=1]: found 2, expected 0 or 1"});
  ExpectHas(refused({good,
                     {"lengths", Integers({2}, {3, 2})},
                     {"attention_mask", Integers({2, 3}, {1, 1, 1, 1, 1, 1})}}),
            {"[b=1]: found 3 real tokens, expected the 2 of input/lengths"});
  ExpectHas(refused({good, {"position_ids", Integers({2, 3}, {0, 1, 2, 1, 2, 3})}}),
            {"input/position_ids[b=1 t=0]: found 1, expected 0"});
  // Padding may hold any id and any position.
  EXPECT_EQ(refused({{"input_ids", Integers({2, 3}, {1, 2, -100, 4, 5, 6})},
                     {"attention_mask", Integers({2, 3}, {1, 1, 0, 1, 1, 1})},
                     {"position_ids", Integers({2, 3}, {0, 1, 1, 0, 1, 2})}}),
            "");
}

}  // namespace
}  // namespace touchstone::lab
