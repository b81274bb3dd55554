// Planted differences are found where they were planted, with their size, and every decision that
// they change; equal files are called so; nothing is left out in silence.
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <functional>
#include <iterator>
#include <limits>
#include <map>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "lab/command_line.h"
#include "lab/diff/diff_report.h"
#include "lab/diff/trace_diff.h"
#include "lab/errors.h"
#include "lab/recording/activation.h"
#include "reference/model/activation_paths.h"
#include "tests/lab/recorded_model.h"
#include "tests/temporary_folder.h"

namespace touchstone::lab {
namespace {

using Shape = std::vector<int64_t>;
using Strings = std::vector<std::string>;
using Tensors = std::map<std::string, Tensor>;

// Every tensor of the small model.
Tensors AllTensors(Dtype dtype = Dtype::kF32) {
  const TextConfig config = SmallConfig();
  Tensors tensors;
  for (const std::string& path : ActivationPaths(config)) {
    Shape shape{2, 3};
    for (const int64_t extent : ExtentsOf(*FindActivation(path), config)) shape.push_back(extent);
    tensors.emplace(
        path, IsInteger(path) ? Integers(shape, {0, 1, 2, 2, 1, 0}) : Filled(dtype, shape, 1));
  }
  return tensors;
}

class DiffTest : public testing::Test {
 protected:
  void Write(const std::string& name, const Tensors& tensors) const {
    WriteRecording(folder_.File(name), [&](golden::Writer* writer) {
      for (const auto& [path, tensor] : tensors) writer->Write(path, tensor);
    });
  }

  // The first runs of the two files, without a model.
  TraceDiff Compare(const Tensors& a, const Tensors& b) const {
    Write("a.h5", a);
    Write("b.h5", b);
    return CompareFiles();
  }
  TraceDiff CompareFiles() const {
    const Recording a(folder_.File("a.h5")), b(folder_.File("b.h5"));
    return DiffRecordings(a, a.runs().at(0), b, b.runs().at(0), {});
  }

  // The program's exit code.
  int Run(const Strings& words) const {
    CLI::App app{"touchstone"};
    RunCommand run;
    AddDiffCommand(&app, &run);
    std::vector<std::string> reversed{words.rbegin(), words.rend()};
    reversed.emplace_back("diff");
    app.parse(reversed);
    return run();
  }

  TemporaryFolder folder_;
};

const TensorDistance& Of(const TraceDiff& diff, const std::string& path) {
  for (const TensorDistance& tensor : diff.tensors) {
    if (tensor.path == path) return tensor;
  }
  throw std::out_of_range(path);
}

TEST_F(DiffTest, CallsEqualFilesIdentical) {
  const Tensors tensors = AllTensors();
  const TraceDiff diff = Compare(tensors, tensors);
  EXPECT_TRUE(diff.is_identical());
  EXPECT_FALSE(diff.first);
  EXPECT_EQ(diff.tensors.size(), tensors.size());
  int64_t elements = 0;  // of 5 real tokens of 6
  for (const auto& [path, tensor] : tensors) elements += tensor.count() / 6 * 5;
  EXPECT_EQ(diff.elements(), elements);
  EXPECT_EQ(diff.choices, 10);
  EXPECT_EQ(diff.argmaxes, 5);
  const std::string said = "bit-identical: " + std::to_string(tensors.size()) + " tensors, " +
                           std::to_string(elements) + " elements, 5 tokens of 2 sequences";
  EXPECT_NE(DiffText(diff).find(said), std::string::npos) << DiffText(diff);
  EXPECT_EQ(Run({folder_.File("a.h5"), folder_.File("b.h5")}), kPassed);
}

TEST_F(DiffTest, FindsOneElement) {
  const Tensors a = AllTensors();
  Tensors b = a;
  Tensor& heads = b.at("layer.01/attention/heads");
  const int64_t element = ((1 * 3 + 1) * 2 + 1) * 6 + 4;  // b=1 t=1 h=1 d=4
  const double was = heads.Real(element);
  heads.SetReal(element, static_cast<float>(was) + 0.25f);
  b.at("layer.02/output").SetReal(0, 9.0f);
  const TraceDiff diff = Compare(a, b);
  EXPECT_FALSE(diff.is_identical());
  ASSERT_TRUE(diff.first);
  EXPECT_EQ(diff.first->path, "layer.01/attention/heads");
  EXPECT_EQ(diff.first->op, "attention");
  EXPECT_EQ(diff.first->at, "b=1 t=1 h=1 d=4");
  EXPECT_FALSE(diff.first->is_zero_sign);
  const Strings paths = ActivationPaths(SmallConfig());
  EXPECT_EQ(paths.at(static_cast<size_t>(diff.first->equal_before)), diff.first->path);
  const TensorDistance& distance = Of(diff, "layer.01/attention/heads");
  EXPECT_EQ(distance.differ, 1);
  EXPECT_EQ(distance.tokens, 1);
  EXPECT_EQ(distance.elements, 5 * 12);
  EXPECT_EQ(distance.largest_absolute, 0.25);
  EXPECT_EQ(distance.where, "b=1 t=1 h=1 d=4");
  EXPECT_EQ(distance.largest_relative(), 0.25 / (was + 0.25));
  EXPECT_EQ(Of(diff, "layer.02/output").differ, 1);
  EXPECT_EQ(Of(diff, "layer.01/output").differ, 0);
  EXPECT_EQ(Run({folder_.File("a.h5"), folder_.File("b.h5")}), kFailed);
  const std::string text = DiffText(diff);
  EXPECT_NE(text.find("first divergence: layer.01/attention/heads[b=1 t=1 h=1 d=4], op attention"),
            std::string::npos)
      << text;
}

TEST_F(DiffTest, ShowsValuesInHexadecimalDecimalAndBits) {
  Tensors a{{"final_norm", Tensor(Dtype::kBf16, {2, 3, 4})}}, b = a;
  a.at("final_norm").SetReal(5, 1.5f);
  b.at("final_norm").SetReal(5, -2.0f);
  const TraceDiff diff = Compare(a, b);
  ASSERT_TRUE(diff.first);
  EXPECT_EQ(diff.first->a, "0x1.8p+0 = 1.5 (0x3fc0)");
  EXPECT_EQ(diff.first->b, "-0x1p+1 = -2 (0xc000)");
  EXPECT_EQ(diff.first->equal_before, 0);
}

TEST_F(DiffTest, MeasuresTheSpread) {
  const Tensors a = AllTensors();
  Tensors b = a;
  b.at("layer.00/output").SetReal(6, 2.0f);                                      // one token
  for (int64_t i = 0; i < 24; i += 4) b.at("layer.01/output").SetReal(i, 3.0f);  // all, and padding
  const TraceDiff diff = Compare(a, b);
  const std::vector<TensorDistance> stream = StreamOf(diff);
  Strings paths;
  Shape tokens;
  for (const TensorDistance& tensor : stream) {
    paths.push_back(tensor.path);
    tokens.push_back(tensor.tokens);
  }
  EXPECT_EQ(paths, (Strings{"embedding", "layer.00/output", "layer.01/output", "layer.02/output",
                            "final_norm", "output/logits"}));
  EXPECT_EQ(tokens, (Shape{0, 1, 5, 0, 0, 0}));
}

TEST_F(DiffTest, IgnoresPadding) {
  const Tensors a = AllTensors();
  Tensors b = a;
  b.at("final_norm").SetReal(23, 99.0f);
  EXPECT_TRUE(Compare(a, b).is_identical());
}

TEST_F(DiffTest, TellsTheSignsOfZerosApart) {
  Tensors a{{"final_norm", Tensor(Dtype::kF32, {2, 3, 4})}}, b = a;
  b.at("final_norm").SetReal(2, -0.0f);
  const TraceDiff diff = Compare(a, b);
  EXPECT_FALSE(diff.is_identical());
  ASSERT_TRUE(diff.first);
  EXPECT_TRUE(diff.first->is_zero_sign);
  EXPECT_EQ(diff.tensors[0].zero_signs, 1);
  EXPECT_EQ(diff.tensors[0].largest_absolute, 0.0);
  EXPECT_EQ(diff.tensors[0].where, "b=0 t=0 c=2");
  EXPECT_NE(DiffText(diff).find("only the sign of a zero differs"), std::string::npos);
}

TEST_F(DiffTest, TakesNansAsOneValue) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  Tensors a{{"final_norm", Filled(Dtype::kF32, {2, 3, 4}, 1)}}, b = a;
  a.at("final_norm").SetReal(1, nan);
  b.at("final_norm").SetReal(1, -nan);
  EXPECT_TRUE(Compare(a, b).is_identical());
  b.at("final_norm").SetReal(1, 1.0f);
  const TraceDiff diff = Compare(a, b);
  EXPECT_EQ(diff.tensors[0].differ, 1);
  EXPECT_EQ(diff.tensors[0].largest_absolute, std::numeric_limits<double>::infinity());
  EXPECT_EQ(diff.tensors[0].where, "b=0 t=0 c=1");
  const auto json = nlohmann::json::parse(DiffJson(diff));
  EXPECT_TRUE(json["tensors"][0]["largest_absolute"].is_null());
}

TEST_F(DiffTest, TellsChangedExpertsWithTheirMargins) {
  const Tensors a = AllTensors();
  Tensors b = a;
  // Layer 1, b=1 t=0: A took expert 2.
  const int64_t row = 3 * 3;
  Tensors a2 = a;
  a2.at("layer.01/feed_forward/router_logits").SetReal(row + 2, 4.0f);
  a2.at("layer.01/feed_forward/router_logits").SetReal(row + 0, 3.5f);
  b.at("layer.01/feed_forward/router_logits").SetReal(row + 2, 4.0f);
  b.at("layer.01/feed_forward/router_logits").SetReal(row + 0, 4.125f);
  b.at("layer.01/feed_forward/chosen").values<int64_t>()[3] = 0;
  const TraceDiff diff = Compare(a2, b);
  EXPECT_EQ(diff.choices, 10);
  EXPECT_EQ(diff.expert_changes, 1);
  ASSERT_EQ(diff.experts.size(), 1u);
  const ExpertChange& change = diff.experts[0];
  EXPECT_EQ(change.layer, 1);
  EXPECT_EQ(change.sequence, 1);
  EXPECT_EQ(change.token, 0);
  EXPECT_EQ(change.from, (Shape{2}));
  EXPECT_EQ(change.to, (Shape{0}));
  EXPECT_EQ(change.margin_a, 0.5);
  EXPECT_EQ(change.margin_b, -0.125);
  EXPECT_EQ(SayChange(change), "layer.01 b=1 t=0: expert 2 -> 0, margin 0.5 in A, -0.125 in B");
}

TEST_F(DiffTest, TellsAChangedLargestLogit) {
  Tensors a = AllTensors();
  Tensors b = a;
  // b=0 t=2: 3 beats all in A; in B 5 ties with it, and the lower index is kept; then 5 wins.
  const int64_t row = 2 * 7;
  for (Tensors* side : {&a, &b}) side->at("output/logits").SetReal(row + 3, 10.0f);
  b.at("output/logits").SetReal(row + 5, 10.0f);
  EXPECT_EQ(Compare(a, b).argmax_changes, 0);
  b.at("output/logits").SetReal(row + 5, 10.5f);
  const TraceDiff diff = Compare(a, b);
  EXPECT_EQ(diff.argmaxes, 5);
  ASSERT_EQ(diff.argmax_changes, 1);
  EXPECT_EQ(diff.argmax[0].sequence, 0);
  EXPECT_EQ(diff.argmax[0].token, 2);
  EXPECT_EQ(diff.argmax[0].from, 3);
  EXPECT_EQ(diff.argmax[0].to, 5);
  EXPECT_EQ(diff.argmax[0].margin_a, 10.0 - a.at("output/logits").Real(row + 5));
  EXPECT_EQ(diff.argmax[0].margin_b, -0.5);
}

TEST_F(DiffTest, SaysWhatOnlyOneFileHas) {
  Tensors a = AllTensors(), b = a;
  b.erase("layer.00/attention_residual");
  b.erase("layer.02/attention_residual");
  a.erase("rope_table");
  b["layer.01/feed_forward/routed"] = Filled(Dtype::kF32, {2, 3, 5}, 1);  // of another width
  b["vision/embedding"] = Filled(Dtype::kF32, {2, 3, 5}, 1);
  const TraceDiff diff = Compare(a, b);
  EXPECT_EQ(diff.a.only_here,
            (Strings{"layer.00/attention_residual", "layer.02/attention_residual"}));
  EXPECT_EQ(diff.b.only_here, (Strings{"rope_table"}));
  EXPECT_EQ(diff.b.unknown, (Strings{"vision/embedding"}));
  ASSERT_EQ(diff.incomparable.size(), 1u);
  EXPECT_FALSE(diff.is_identical());
  const std::string text = DiffText(diff);
  for (const char* part :
       {"only in A, 2 tensors: layer.*/attention_residual (2)", "only in B, 1 tensors: rope_table",
        "not comparable: layer.01/feed_forward/routed: (4) a token in A, (5) in B",
        "1 datasets of B are no tensor of the text model: vision/embedding"}) {
    EXPECT_NE(text.find(part), std::string::npos) << part << "\n" << text;
  }
}

TEST_F(DiffTest, ComparesOtherDtypesAsNumbers) {
  const Tensors a{{"final_norm", Tensor(Dtype::kF32, {2, 3, 4})}};
  const Tensors b{{"final_norm", Tensor(Dtype::kBf16, {2, 3, 4})}};
  const TraceDiff diff = Compare(a, b);
  EXPECT_EQ(diff.tensors[0].differ, 0);
  EXPECT_FALSE(diff.is_identical());
  EXPECT_NE(DiffText(diff).find("1 tensors have another dtype in B"), std::string::npos);
}

// Scores of all experts in one file, of the chosen ones in the other.
TEST_F(DiffTest, BringsScoresToOneForm) {
  const Tensors all = AllTensors();
  Tensors a{{"layer.00/feed_forward/chosen", all.at("layer.00/feed_forward/chosen")},
            {"layer.00/feed_forward/scores", Filled(Dtype::kF32, {2, 3, 1}, 1)}};
  Tensor scores(Dtype::kF32, {6, 3});
  const Shape chosen{0, 1, 2, 2, 1, 0};
  for (int64_t t = 0; t < 6; ++t) {
    const auto score = static_cast<float>(a.at("layer.00/feed_forward/scores").Real(t));
    scores.SetReal(t * 3 + chosen[static_cast<size_t>(t)], score);
  }
  const Tensors b{{"activation/layer.0.router.scores", scores}};
  const TraceDiff same = Compare(a, b);
  EXPECT_TRUE(same.is_identical());
  EXPECT_EQ(same.tensors.size(), 2u);
  EXPECT_EQ(same.elements(), 10);
  a.at("layer.00/feed_forward/scores").SetReal(1, 5.0f);
  EXPECT_EQ(Compare(a, b).first->at, "b=0 t=1 a=0");
}

TEST_F(DiffTest, RefusesOtherInputs) {
  Write("a.h5", AllTensors());
  golden::Writer writer(folder_.File("b.h5"));
  writer.Write("input/input_ids", Integers({2, 3}, {1, 2, 3, 4, 6, 0}));
  writer.Write("input/lengths", Integers({2}, {3, 2}));
  writer.Write("final_norm", Filled(Dtype::kF32, {2, 3, 4}, 1));
  writer.Close();
  try {
    CompareFiles();
    FAIL();
  } catch (const golden::BadFile& error) {
    EXPECT_NE(
        std::string(error.what())
            .find("at input/input_ids[b=1 t=1] 5 and 6, expected the same inputs in both files"),
        std::string::npos)
        << error.what();
  }
}

TEST_F(DiffTest, EndsWithTheCodeOfWhatHappened) {
  const Strings files{folder_.File("a.h5"), folder_.File("b.h5")};
  Write("a.h5", {{"embedding", Filled(Dtype::kF32, {2, 3, 4}, 1)}});
  Write("b.h5", {{"final_norm", Filled(Dtype::kF32, {2, 3, 4}, 1)}});
  EXPECT_EQ(Run(files), kNotRun);
  Write("b.h5", {{"something/else", Filled(Dtype::kF32, {2, 3, 4}, 1)}});
  EXPECT_THROW(Run(files), golden::BadFile);
  EXPECT_THROW(Run({files[0], files[0], "--run-b", "decode"}), UsageError);
  EXPECT_THROW(Run({files[0], files[0], "--html", files[0]}), UsageError);
  EXPECT_EQ(Run({files[0], files[0]}), kPassed);
}

// Each tag is closed by its own, attributes have quotes, and no other character opens one.
void ExpectWellFormed(const std::string& html) {
  Strings open;
  for (size_t at = html.find('<', 1); at != std::string::npos; at = html.find('<', at + 1)) {
    const size_t end = html.find('>', at);
    ASSERT_NE(end, std::string::npos);
    const std::string tag = html.substr(at + 1, end - at - 1);
    const std::string name = tag.substr(0, tag.find_first_of(" /", 1));
    EXPECT_EQ(std::count(tag.begin(), tag.end(), '"') % 2, 0) << tag;
    EXPECT_EQ(tag.find('<'), std::string::npos) << tag;
    if (tag.back() == '/') continue;
    if (tag[0] != '/') {
      open.push_back(name);
      continue;
    }
    ASSERT_FALSE(open.empty());
    EXPECT_EQ(tag, "/" + open.back());
    open.pop_back();
  }
  EXPECT_TRUE(open.empty());
}

TEST_F(DiffTest, WritesAPageAndJson) {
  const Tensors a = AllTensors();
  Tensors b = a;
  b.at("layer.01/output").SetReal(0, -7.0f);
  b.at("final_norm").SetReal(3, std::numeric_limits<float>::infinity());
  Write("a.h5", a);
  WriteRecording(folder_.File("b.h5"), [&](golden::Writer* writer) {
    for (const auto& [path, tensor] : b) writer->Write(path, tensor);
    writer->Write("<b>&\"x\"", Filled(Dtype::kF32, {2}, 1));
    writer->WriteText("", "made_by", "<script>alert(\"1\")</script> & \x1b[2J");
  });
  const std::string page = folder_.File("page.html"), json = folder_.File("diff.json");
  EXPECT_EQ(Run({folder_.File("a.h5"), folder_.File("b.h5"), "--html", page, "--json", json}),
            kFailed);
  const auto read = [](const std::string& file) {
    std::ifstream stream(file, std::ios::binary);
    return std::string(std::istreambuf_iterator<char>(stream), {});
  };
  const std::string html = read(page);
  ASSERT_TRUE(html.starts_with("<!DOCTYPE html>"));
  ExpectWellFormed(html);
  EXPECT_EQ(html.find("<script"), std::string::npos);
  EXPECT_EQ(html.find('\x1b'), std::string::npos);
  EXPECT_NE(html.find("&lt;script&gt;"), std::string::npos);
  EXPECT_NE(html.find("<svg "), std::string::npos);
  EXPECT_NE(html.find("layer.01/output: 1 of 20 elements differ"), std::string::npos);
  EXPECT_NE(html.find("infinite"), std::string::npos);
  const auto report = nlohmann::json::parse(read(json));
  EXPECT_EQ(report["format"], 1);
  EXPECT_EQ(report["identical"], false);
  EXPECT_EQ(report["first"]["path"], "layer.01/output");
  EXPECT_EQ(report["tensors"].size(), a.size());
  EXPECT_EQ(report["lengths"], (Shape{3, 2}));
  // On the terminal nothing from a file can be more than text.
  EXPECT_EQ(DiffText(CompareFiles()).find('\x1b'), std::string::npos);
  ExpectWellFormed(DiffHtml(Compare(a, a)));
}

}  // namespace
}  // namespace touchstone::lab
