// Recordings of the reference itself agree, whole and in part, and every wrong model is noticed
// where it differs.
#include "lab/agree/agreement.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <memory>
#include <set>
#include <stdexcept>
#include <string>

#include "lab/agree/agree_report.h"
#include "tests/agree/small_model.h"
#include "tests/agree/where_noticed.h"
#include "tests/temporary_folder.h"

namespace touchstone::lab {
namespace {

struct Made {
  TextConfig config;
  std::unique_ptr<MemoryWeights> weights;
  TemporaryFolder folder;
  std::string file;
};

std::unique_ptr<Made> Make(uint32_t seed, Dtype recipe, std::vector<int64_t> lengths,
                           int64_t prefill = 0, const Naming& naming = {},
                           const Spoil& spoil = {}) {
  auto made = std::make_unique<Made>();
  made->config = SmallConfig(seed);
  made->weights = std::make_unique<MemoryWeights>(made->config, recipe, seed + 1000);
  made->file = made->folder.File("recording.h5");
  SmallInputs inputs = RandomInputs(made->config, std::move(lengths), seed + 2000);
  inputs.prefill = prefill;
  WriteRecording(made->file, made->config, made->weights.get(), inputs, naming, spoil);
  return made;
}

AgreementReport Judge(const Made& made, AgreementOptions options = {}) {
  const Recording recording(made.file, made.config);
  return JudgeRecording(recording, made.config, made.weights.get(), options);
}

class BothRecipes : public testing::TestWithParam<std::tuple<Dtype, uint32_t>> {
 protected:
  Dtype recipe() const { return std::get<0>(GetParam()); }
  uint32_t seed() const { return std::get<1>(GetParam()); }
};
INSTANTIATE_TEST_SUITE_P(Models, BothRecipes,
                         testing::Combine(testing::Values(Dtype::kF32, Dtype::kBf16),
                                          testing::Range(1u, 9u)));

TEST_P(BothRecipes, TheReferenceAgreesInEverySegment) {
  const auto made = Make(seed(), recipe(), {19, 1, 8}, 6);
  const AgreementReport report = Judge(*made);
  EXPECT_TRUE(report.Agrees()) << AgreementText(report);
  ASSERT_EQ(report.runs.size(), 1u);
  EXPECT_TRUE(report.runs[0].not_run.empty());
  EXPECT_EQ(report.runs[0].roundings, "contract");
  EXPECT_EQ(report.compared(), static_cast<int64_t>(report.runs[0].segments.size()));
  EXPECT_GT(report.compared(), 60);
}

TEST_P(BothRecipes, TheReferenceAgreesUnderTheContractWithEveryPlaceOn) {
  const auto made = Make(seed(), recipe(), {11});
  AgreementOptions options;
  options.roundings = {Roundings(*exact::FindOutsideProfile("contract"))};
  EXPECT_TRUE(Judge(*made, options).Agrees());
}

// Only some tensors: the segments become longer.
TEST_P(BothRecipes, PartsOfARecordingAgree) {
  for (const std::string kept : {"/heads", "/output", "/routed", "chosen"}) {
    const auto made = Make(seed(), recipe(), {13}, 0, [&](const std::string& path) {
      const bool stays = path.ends_with(kept) || path == "embedding" || path.ends_with("chosen");
      return stays ? std::optional(path) : std::nullopt;
    });
    const AgreementReport report = Judge(*made);
    EXPECT_TRUE(report.Agrees()) << kept << "\n" << AgreementText(report);
    for (const RunReport& run : report.runs) {
      EXPECT_EQ(run.segments.size() - run.not_run.size(), static_cast<size_t>(report.compared()));
    }
  }
}

TEST_P(BothRecipes, EveryWrongModelIsNoticedWhereItDiffers) {
  const auto made = Make(seed(), recipe(), {19}, 5);
  for (const Noticed& noticed : WhereNoticed()) {
    const std::string& name = RowOf(noticed.fault).name;
    // Of images there are none; scores of all experts were not recorded; a trace does not say where
    // its prefill ended.
    if (name.starts_with("image") || name == "router: scores of all experts" ||
        name.find("decode") != std::string::npos) {
      continue;
    }
    // QK norm's epsilon needs small heads.
    if (noticed.fault == Fault::kQkNormEpsilon) continue;
    if (recipe() == Dtype::kBf16 && !noticed.in_bf16) continue;
    ASSERT_TRUE(Concerns(noticed.fault, made->config)) << name;
    AgreementOptions options;
    options.fault = noticed.fault;
    options.end_to_end = options.find_causes = false;
    const AgreementReport report = Judge(*made, options);
    EXPECT_FALSE(report.Agrees()) << name;
    const std::string path = FirstFailure(report);
    EXPECT_TRUE(IsAt(path, noticed.at)) << name << ": " << path;
  }
}

TEST(AgreementTest, EveryFaultHasARowOnce) {
  std::set<Fault> faults;
  for (const FaultRow& row : AllFaults()) EXPECT_TRUE(faults.insert(row.fault).second) << row.name;
  EXPECT_EQ(faults.size(), static_cast<size_t>(Fault::kSharedLeftOut));
  for (const Noticed& noticed : WhereNoticed()) faults.erase(noticed.fault);
  EXPECT_TRUE(faults.empty());
}

// One element of one tensor, moved by more than its bound: the tensor and the place are named.
TEST(AgreementTest, OneWrongElementIsFound) {
  for (const Dtype recipe : {Dtype::kF32, Dtype::kBf16}) {
    const auto made = Make(3, recipe, {9}, 0, {}, [](const std::string& path, Tensor* tensor) {
      if (path != "layer.01/attention/k") return;
      const int64_t i = 5 * tensor->shape[2] * tensor->shape[3] + tensor->shape[3] + 2;
      tensor->SetReal(i, static_cast<float>(tensor->Real(i) * 1.02 + 0.01));
    });
    const AgreementReport report = Judge(*made);
    EXPECT_FALSE(report.Agrees());
    bool found = false;
    for (const SegmentResult& segment : report.runs.at(0).segments) {
      if (segment.path != "layer.01/attention/k") continue;
      found = true;
      EXPECT_EQ(segment.comparison.outside, 1);
      ASSERT_TRUE(segment.comparison.first);
      EXPECT_EQ(segment.comparison.first->at, "t=5 g=1 d=2");
    }
    EXPECT_TRUE(found);
    EXPECT_NE(AgreementText(report).find("FAILED"), std::string::npos);
  }
}

// Bits of x rounded to bf16 in a wrong way: towards zero, or halves away from zero.
float WronglyRounded(double x, bool truncates) {
  const uint32_t bits = std::bit_cast<uint32_t>(static_cast<float>(x));
  return std::bit_cast<float>((truncates ? bits : bits + 0x8000u) & 0xffff0000u);
}

TEST(AgreementTest, RoundingTheWrongWayIsADisagreement) {
  const std::string path = "layer.00/attention_residual";
  const auto right = Make(3, Dtype::kBf16, {19});
  const Recording recording(right->file, right->config);
  RecordedSequence recorded(recording, recording.runs().front(), 0, right->config);
  GraphOptions graph_options;
  graph_options.recipe = Dtype::kBf16;
  ModelGraph graph(
      right->config, right->weights.get(), recorded.ids(),
      [&](const std::string& name) { return recorded.Find(name); }, graph_options);
  const exact::Matrix sums = graph.Expected(path).real.value;  // exact: two bf16 numbers
  for (const bool truncates : {true, false}) {
    const auto wrong =
        Make(3, Dtype::kBf16, {19}, 0, {}, [&](const std::string& name, Tensor* tensor) {
          if (name != path) return;
          for (int64_t i = 0; i < tensor->count(); ++i) {
            tensor->SetReal(i, WronglyRounded(sums.data()[i], truncates));
          }
        });
    AgreementOptions options;
    options.find_causes = false;
    const AgreementReport report = Judge(*wrong, options);
    EXPECT_FALSE(report.Agrees()) << truncates;
    EXPECT_EQ(FirstFailure(report), path);
  }
}

// What is not finite spreads, and is judged or undecidable; nothing throws, nothing is agreed.
TEST(AgreementTest, NonFiniteNumbersAreADisagreement) {
  for (const Dtype recipe : {Dtype::kF32, Dtype::kBf16}) {
    for (const float wrong : {NAN, INFINITY, -INFINITY, 3e38f}) {
      for (const std::string where : {"attention_norm", "attention/k", "attention/v", "scores",
                                      "router_logits", "shared_gate", "expert_input", "/output"}) {
        const auto made = Make(2, recipe, {9}, 0, {}, [&](const std::string& path, Tensor* tensor) {
          if (path.ends_with(where)) tensor->SetReal(3, wrong);
        });
        AgreementOptions options;
        options.find_causes = false;
        EXPECT_FALSE(Judge(*made, options).Agrees()) << where << " " << wrong;
      }
    }
  }
}

TEST(AgreementTest, AnotherExpertIsADisagreement) {
  const auto made = Make(
      4, Dtype::kF32, {9}, 0,
      [](const std::string& path) {
        const bool stays = path.ends_with("chosen") || path.ends_with("logits") ||
                           path.ends_with("feed_forward_norm");
        return stays ? std::optional(path) : std::nullopt;
      },
      [](const std::string& path, Tensor* tensor) {
        if (!path.ends_with("chosen")) return;
        int64_t* chosen = tensor->values<int64_t>();
        const int64_t A = tensor->shape[2];
        for (int64_t e = 0;; ++e) {  // the first that was not chosen
          if (std::find(chosen, chosen + A, e) == chosen + A) {
            chosen[0] = e;
            return;
          }
        }
      });
  const AgreementReport report = Judge(*made);
  EXPECT_FALSE(report.Agrees());
  EXPECT_TRUE(FirstFailure(report).ends_with("/chosen"));
  const auto& others = report.runs.at(0).end_to_end.others;
  EXPECT_TRUE(std::any_of(others.begin(), others.end(),
                          [](const OtherChoice& c) { return c.Disagrees(); }));
}

// Logits of decoding alone, as Meta's recordings have them.
std::optional<std::string> LogitsOfDecoding(const std::string& path) {
  if (path == "output/logits") return "output/logits_decode";
  return path == "embedding" ? std::optional(path) : std::nullopt;
}

const RunReport& RunOf(const AgreementReport& report, const std::string& name) {
  for (const RunReport& run : report.runs) {
    if (run.name == name) return run;
  }
  throw std::runtime_error("no run " + name);
}

// In bf16 no bound is left after four layers: nothing is called agreed, and nothing wrong.
TEST(AgreementTest, LogitsAloneAreNotRun) {
  const auto made = Make(5, Dtype::kBf16, {19}, 4, LogitsOfDecoding);
  const AgreementReport report = Judge(*made);
  const RunReport& run = RunOf(report, "decode");
  ASSERT_EQ(run.not_run.size(), 1u);
  EXPECT_EQ(run.not_run[0].dataset, "output/logits_decode");
  EXPECT_TRUE(run.end_to_end.end_result_alone);
  EXPECT_EQ(run.end_to_end.Cause(), Fault::kNone);
}

// Numbers that no model gives are wrong also where no segment reaches them.
TEST(AgreementTest, AnEndResultOfGarbageIsADisagreement) {
  for (const Dtype recipe : {Dtype::kF32, Dtype::kBf16}) {
    for (const float wrong : {NAN, INFINITY, 0.0f, 40.0f}) {
      const auto made =
          Make(5, recipe, {19}, 4, LogitsOfDecoding, [&](const std::string& path, Tensor* tensor) {
            if (path != "output/logits") return;
            for (int64_t i = 0; i < tensor->count(); ++i) {
              tensor->SetReal(i, i % 3 == 0 ? wrong : -wrong);
            }
          });
      EXPECT_FALSE(Judge(*made).Agrees()) << Name(recipe) << " " << wrong;
    }
  }
}

// Far from all recorded tensors bounds are wide; what lies outside them is wrong all the same.
TEST(AgreementTest, WideBoundsStillReject) {
  const auto only_outputs = [](const std::string& path) {
    const bool stays = path == "embedding" || path.ends_with("/output");
    return stays && path.find("/attention/") == std::string::npos &&
                   path.find("/feed_forward/") == std::string::npos
               ? std::optional(path)
               : std::nullopt;
  };
  EXPECT_TRUE(Judge(*Make(3, Dtype::kBf16, {19}, 0, only_outputs)).Agrees());
  for (const float wrong : {NAN, INFINITY}) {
    const auto made =
        Make(3, Dtype::kBf16, {19}, 0, only_outputs, [&](const std::string& path, Tensor* tensor) {
          if (path == "layer.02/output") tensor->SetReal(7 * tensor->shape[2] + 1, wrong);
        });
    EXPECT_FALSE(Judge(*made).Agrees()) << wrong;
  }
}

TEST(AgreementTest, TheRecipeIsThatOfWhateverWasRecorded) {
  for (const char* ending : {"attention/q", "router_logits", "attention/heads"}) {
    const auto made = Make(3, Dtype::kBf16, {9}, 0, [&](const std::string& path) {
      const bool stays = path.ends_with(ending) || path == "output/logits";
      return stays ? std::optional(path) : std::nullopt;
    });
    EXPECT_EQ(Recording(made->file, made->config).recipe(), Dtype::kBf16) << ending;
    const AgreementReport report = Judge(*made);
    EXPECT_TRUE(report.runs.at(0).Agrees()) << ending << "\n" << AgreementText(report);
  }
}

// A recording of a model that ignores the chunks, judged by the right one.
TEST(AgreementTest, AWrongEndResultIsExplained) {
  for (const Dtype recipe : {Dtype::kF32, Dtype::kBf16}) {
    const auto made = Make(5, recipe, {19}, 4, LogitsOfDecoding);
    TextConfig wrong = made->config;
    for (TextLayer& layer : wrong.layers) layer.is_chunked = false;
    SmallInputs inputs = RandomInputs(wrong, {19}, 2005);
    inputs.prefill = 4;
    WriteRecording(made->file, wrong, made->weights.get(), inputs, LogitsOfDecoding);
    const AgreementReport report = Judge(*made);
    EXPECT_FALSE(report.Agrees());
    const RunReport& run = RunOf(report, "decode");
    if (run.SegmentsAgree()) {
      EXPECT_EQ(run.end_to_end.Cause(), Fault::kChunkIgnored);
    } else {
      ASSERT_FALSE(run.causes.empty());
      EXPECT_TRUE(run.causes[0].starts_with("mask: chunk ignored")) << run.causes[0];
    }
  }
}

TEST(AgreementTest, NoTensorIsNoAgreement) {
  const auto made = Make(6, Dtype::kF32, {5}, 0, [](const std::string& path) {
    return path == "layer.00/attention_norm" ? std::optional(path) : std::nullopt;
  });
  EXPECT_TRUE(Judge(*made).Agrees());  // from the ids
  const auto none =
      Make(6, Dtype::kF32, {5}, 0, [](const std::string&) { return std::optional<std::string>(); });
  EXPECT_FALSE(Judge(*none).Agrees());
}

TEST(AgreementTest, TheReportSaysAllOfIt) {
  const auto made = Make(7, Dtype::kF32, {7});
  AgreementOptions options;
  options.fault = Fault::kScoreOnOutput;
  const AgreementReport report = Judge(*made, options);
  const std::string text = AgreementText(report), json = AgreementJson(report, "model");
  for (const char* word : {"FAILED", "dispatch", "expert_input", "t=0 a=0 c=0", "accepted"}) {
    EXPECT_NE(text.find(word), std::string::npos) << word;
  }
  for (const char* word : {"\"segments\"", "\"first\"", "\"smallest_rejected\"", "\"FAILED\""}) {
    EXPECT_NE(json.find(word), std::string::npos) << word;
  }
}

}  // namespace
}  // namespace touchstone::lab
