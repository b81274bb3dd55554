// Diagnosis: faults planted by hand are named, with where they are and how far; sound kernels in
// other orders are given no cause; and the profile that a kernel has is found from its bits.
#include "lab/diagnosis/diagnosis.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "lab/diagnosis/pattern.h"
#include "lab/diagnosis/profile_outputs.h"
#include "lab/diagnosis/ulp_histogram.h"
#include "lab/input_class.h"

namespace touchstone::lab {
namespace {

// A case, its inputs, and the right outputs, which a test then spoils.
struct Trial {
  Sample sample;
  Tensors right;
};

Trial TrialOf(const std::string& op_name, const std::string& case_name) {
  const Case c = CaseFromName(*FindOp(op_name), case_name);
  Trial trial{{c, MakeTensors(c), {}}, {}};
  trial.right = trial.sample.inputs;
  lab::Run(c, &trial.right, 1);
  trial.sample.got = trial.right;
  return trial;
}

Trial UnderProfile(const std::string& op_name, const std::string& case_name,
                   const std::string& profile) {
  Trial trial = TrialOf(op_name, case_name);
  trial.sample.got =
      ProfileOutputs(trial.sample.c, trial.sample.inputs, exact::ProfileFromText(profile));
  return trial;
}

// Outputs of the reference, or of a profile, on inputs or with attributes that the fault changes.
void GotFrom(const Case& c, const Tensors& inputs, Trial* trial) {
  trial->sample.got = ProfileOutputs(c, inputs, exact::ProfileFromText("order=lanes:4 fused=no"));
}

std::string Joined(const std::vector<std::string>& lines) {
  std::string text;
  for (const std::string& line : lines) text += line + "\n";
  return text;
}

std::string CausesOf(const Trial& trial) {
  return Joined(Diagnose(trial.sample, trial.right).causes);
}

std::string PatternsOf(const Trial& trial) {
  return Joined(Diagnose(trial.sample, trial.right).pattern);
}

#define EXPECT_SAYS(text, words) EXPECT_NE((text).find(words), std::string::npos) << (text)

TEST(Diagnosis, RightOutputsHaveNoPatternAndNoCause) {
  const Trial trial = TrialOf("linear", "f32/normal/C80_F7_T3");
  const Diagnosis diagnosis = Diagnose(trial.sample, trial.right);
  EXPECT_TRUE(diagnosis.pattern.empty());
  EXPECT_TRUE(diagnosis.causes.empty()) << Joined(diagnosis.causes);
  ASSERT_EQ(diagnosis.histogram.size(), 1u);
  EXPECT_EQ(diagnosis.histogram[0].label, "0");
  EXPECT_EQ(diagnosis.histogram[0].elements, 21);
}

TEST(Diagnosis, SoundKernelsInOtherOrdersHaveNoCause) {
  for (const char* name : {"f32/normal/C1030_F7_T2", "bf16/normal/C1030_F7_T2",
                           "f32/subnormals/C80_F7_T3", "bf16/ties/C80_F7_T3"}) {
    for (const exact::Profile& profile : exact::HonestProfiles()) {
      const Trial trial = UnderProfile("linear", name, profile.name);
      EXPECT_EQ(CausesOf(trial), "") << name << ", " << profile.name;
    }
  }
}

TEST(Diagnosis, HistogramCountsStepsOfTheFormat) {
  Trial trial = TrialOf("residual_add", "f32/normal/C80_T3");
  Tensor& y = trial.sample.got.at("y");
  const auto step = [&](int64_t i, int steps) {
    float x = static_cast<float>(y.Real(i));
    for (int s = 0; s < steps; ++s) x = std::nextafter(x, 2.0f * x);
    y.SetReal(i, x);
  };
  ASSERT_NE(y.Real(5) * y.Real(6) * y.Real(7) * y.Real(8) * y.Real(9), 0.0);
  step(5, 1);
  step(6, 2);
  step(7, 4);
  step(8, 5);
  y.SetReal(9, static_cast<float>(-y.Real(9)));
  y.SetReal(10, NAN);
  std::map<std::string, int64_t> bins;
  for (const UlpBin& bin : Diagnose(trial.sample, trial.right).histogram) {
    bins[bin.label] = bin.elements;
  }
  const std::map<std::string, int64_t> wanted = {{"0", 234},
                                                 {"1", 1},
                                                 {"2", 1},
                                                 {"3-4", 1},
                                                 {"5-8", 1},
                                                 {"other sign", 1},
                                                 {"NaN or infinite on one side", 1}};
  EXPECT_EQ(bins, wanted);
  EXPECT_EQ(UlpDistance(1.0, 1.0 + 0x1p-7, Dtype::kBf16), 1);
  EXPECT_EQ(UlpDistance(1.0, 1.0 + 0x1p-7, Dtype::kF32), 1 << 16);
}

TEST(Diagnosis, IndicesHaveShortWords) {
  EXPECT_EQ(WordsForIndices('t', {2}, 4), "only t=2 of 0..3");
  EXPECT_EQ(WordsForIndices('t', {0, 1, 2, 3}, 4), "every t");
  EXPECT_EQ(WordsForIndices('c', {64, 65, 66, 67}, 68), "only c>=64 of 0..67");
  EXPECT_EQ(WordsForIndices('c', {0, 1, 2}, 68), "only c<3 of 0..67");
  EXPECT_EQ(WordsForIndices('f', {16, 17, 18}, 40), "f=16..18");
  EXPECT_EQ(WordsForIndices('f', {3, 11, 19, 27}, 32), "every 8th f, from f=3");
  EXPECT_EQ(WordsForIndices('f', {1, 4, 9, 10, 11, 12}, 32), "");
  EXPECT_EQ(WordsForIndices('f', {1, 4, 9}, 32), "f=1,4,9");
  EXPECT_EQ(WordsForIndices('f', {0, 1, 2, 3, 5, 6}, 7), "every f but f=4");
}

TEST(Diagnosis, PatternsByCoordinateTileValueAndTrend) {
  Trial row = TrialOf("residual_add", "f32/normal/C80_T3");
  for (int64_t i = 80; i < 160; ++i) row.sample.got.at("y").SetReal(i, 100.0f);
  EXPECT_SAYS(PatternsOf(row), "only t=1 of 0..2, every c, all of these");

  Trial tile = TrialOf("linear", "f32/normal/C80_F40_T20");
  for (int64_t t = 4; t < 8; ++t) {
    for (int64_t f = 16; f < 32; ++f) tile.sample.got.at("y").SetReal(t * 40 + f, 100.0f);
  }
  EXPECT_SAYS(PatternsOf(tile), "a tile t=4..7 x f=16..31");

  Trial negative = TrialOf("residual_add", "f32/normal/C80_T3");
  for (int64_t i = 0; i < 240; ++i) {
    const double y = negative.right.at("y").Real(i);
    if (std::signbit(y)) negative.sample.got.at("y").SetReal(i, static_cast<float>(3.0 * y));
  }
  EXPECT_SAYS(PatternsOf(negative), "only where the right value is negative");

  Trial growing = TrialOf("residual_add", "f32/normal/C80_T3");
  for (int64_t i = 0; i < 240; ++i) {
    const double y = growing.right.at("y").Real(i);
    const double error = std::ldexp(1.0, static_cast<int>(i % 80) / 8 - 22);
    growing.sample.got.at("y").SetReal(i, static_cast<float>(y * (1.0 + error)));
  }
  EXPECT_SAYS(PatternsOf(growing), "errors grow with c");
}

TEST(Diagnosis, CausesThatOutputsShow) {
  Trial zeros = TrialOf("linear", "f32/normal/C80_F7_T3");
  for (int64_t i = 7; i < 14; ++i) zeros.sample.got.at("y").SetReal(i, 0.0f);
  EXPECT_SAYS(CausesOf(zeros), "every wrong element is 0");

  Trial sign = TrialOf("rope", "f32/normal/D8_H3_T3");
  for (int64_t i = 0; i < 24; ++i) {
    Tensor& y = sign.sample.got.at("y");
    y.SetReal(i, static_cast<float>(-y.Real(i)));
  }
  EXPECT_SAYS(CausesOf(sign), "sign is flipped");

  Trial factor = TrialOf("linear", "f32/normal/C80_F7_T3");
  for (int64_t i = 0; i < 21; ++i) {
    Tensor& y = factor.sample.got.at("y");
    y.SetReal(i, static_cast<float>(y.Real(i) / std::sqrt(80.0)));
  }
  EXPECT_SAYS(CausesOf(factor), "1/sqrt(C) times the right one");

  Trial shifted = TrialOf("linear", "f32/normal/C80_F7_T3");
  for (int64_t i = 0; i < 14; ++i) {
    shifted.sample.got.at("y").SetReal(i, static_cast<float>(shifted.right.at("y").Real(i + 7)));
  }
  EXPECT_SAYS(CausesOf(shifted), "t is off by one: an element holds what belongs to t+1");

  Trial tile = TrialOf("linear", "f32/normal/C80_F16_T16");
  for (int64_t t = 8; t < 16; ++t) {
    for (int64_t f = 0; f < 8; ++f) {
      tile.sample.got.at("y").SetReal(
          t * 16 + f, static_cast<float>(tile.right.at("y").Real((8 + f) * 16 + t - 8)));
    }
  }
  EXPECT_SAYS(CausesOf(tile), "t and f are transposed in tiles of 8 x 8");
}

TEST(Diagnosis, OtherRoundingsOfTheOutputInAnyOrder) {
  EXPECT_SAYS(CausesOf(UnderProfile("linear", "bf16/normal/C80_F7_T3",
                                    "order=lanes:4 fused=no output=truncated")),
              "truncated instead of rounded");
  Trial narrowed = UnderProfile("linear", "f32/normal/C80_F7_T3", "order=lanes:4 fused=no");
  for (int64_t i = 0; i < 21; ++i) {
    Tensor& y = narrowed.sample.got.at("y");
    y.SetReal(i, RoundTo<Bf16>(static_cast<float>(y.Real(i))));
  }
  EXPECT_SAYS(CausesOf(narrowed), "went through bf16");
}

// The kernels below sum in an order that the panel has, but not under the fault: bits alone would
// not find it.
TEST(Diagnosis, CausesFoundByComputingAgain) {
  Trial dropped = TrialOf("linear", "f32/normal/C80_F7_T3");
  Tensors inputs = dropped.sample.inputs;
  for (int64_t f = 0; f < 7; ++f) inputs.at("weight").SetReal(f * 80 + 79, 0.0f);
  GotFrom(dropped.sample.c, inputs, &dropped);
  EXPECT_SAYS(CausesOf(dropped), "the last c of");

  Trial tail = TrialOf("linear", "f32/normal/C83_F7_T3");
  inputs = tail.sample.inputs;
  for (int64_t f = 0; f < 7; ++f) {
    for (int64_t c = 80; c < 83; ++c) inputs.at("weight").SetReal(f * 83 + c, 0.0f);
  }
  GotFrom(tail.sample.c, inputs, &tail);
  EXPECT_SAYS(CausesOf(tail), "the tail of c beyond the last multiple of");

  Trial swapped = TrialOf("swiglu", "f32/normal/F80_T3");
  inputs = swapped.sample.inputs;
  std::swap(inputs.at("gate"), inputs.at("up"));
  GotFrom(swapped.sample.c, inputs, &swapped);
  EXPECT_SAYS(CausesOf(swapped), "gate and up are exchanged");

  Trial eps = TrialOf("rmsnorm", "f32/small/C80_T3");
  Case other = eps.sample.c;
  other.attributes.at("eps") = 1e-6;
  GotFrom(other, eps.sample.inputs, &eps);
  EXPECT_SAYS(CausesOf(eps), "eps is 1e-06 in place of 1e-05");

  Trial unseen = TrialOf("attention", "f32/normal/D8_G2_H4_S7_T4");
  Case shorter = unseen.sample.c;
  inputs = unseen.sample.inputs;
  const int64_t keys = inputs.at("keys").shape[0];
  int64_t* positions = inputs.at("positions").values<int64_t>();
  if (std::any_of(positions, positions + 4, [&](int64_t p) { return p + 1 >= keys; })) {
    --shorter.sizes.at('S');
    for (const char* name : {"keys", "values"}) {
      Tensor part(Dtype::kF32, {keys - 1, 2, 8});
      for (int64_t i = 0; i < part.count(); ++i) {
        part.SetReal(i, static_cast<float>(unseen.sample.inputs.at(name).Real(i)));
      }
      inputs.insert_or_assign(name, part);
    }
    GotFrom(shorter, inputs, &unseen);
    EXPECT_SAYS(CausesOf(unseen), "the last s is not seen");
  }

  Trial late = TrialOf("attention", "f32/normal/D8_G2_H4_S7_T4");
  inputs = late.sample.inputs;
  for (int64_t t = 0; t < 4; ++t) {
    int64_t& position = inputs.at("positions").values<int64_t>()[t];
    position = std::max<int64_t>(0, position - 1);
  }
  GotFrom(late.sample.c, inputs, &late);
  EXPECT_SAYS(CausesOf(late), "positions are read 1 too low");
}

// A missing cause is better than a wrong one.
TEST(Diagnosis, FaultsInOnePlaceAreNoRounding) {
  const auto blamed = [](const Trial& trial) {
    const std::string causes = CausesOf(trial);
    return causes.find("partial sums") != std::string::npos ||
           causes.find("on its way to f32") != std::string::npos;
  };
  Trial ids = TrialOf("sampling", "f32/normal/B16_V40");
  for (int64_t b = 0; b < 16; b += 3) ids.sample.got.at("taken").values<int64_t>()[b] ^= 1;
  EXPECT_FALSE(blamed(ids)) << CausesOf(ids);

  Trial one_less = TrialOf("rmsnorm", "f32/normal/C5120_T4");  // the mean of C - 1 squares
  Tensor& y = one_less.sample.got.at("y");
  for (int64_t i = 0; i < y.count(); ++i) {
    y.SetReal(i, static_cast<float>(y.Real(i) * std::sqrt(5119.0 / 5120.0)));
  }
  EXPECT_FALSE(blamed(one_less)) << CausesOf(one_less);

  Trial masked = TrialOf("attention", "f32/normal/D8_G2_H4_S11_T9_chunk=4");
  Case whole = masked.sample.c;
  whole.attributes.at("chunk") = 5.0;
  GotFrom(whole, masked.sample.inputs, &masked);
  EXPECT_FALSE(blamed(masked)) << CausesOf(masked);

  Trial unadded = TrialOf("residual_add_rmsnorm", "f32/normal/C80_T3");
  Tensors inputs = unadded.sample.inputs;
  for (int64_t i = 0; i < inputs.at("delta").count(); ++i) inputs.at("delta").SetReal(i, 0.0f);
  GotFrom(unadded.sample.c, inputs, &unadded);
  EXPECT_FALSE(blamed(unadded)) << CausesOf(unadded);
}

// The first kernels below take one input for 0 or for 1; the bounds of what they get wrong are
// wide, say nothing, or the same in many places.
TEST(Diagnosis, NoIndexIsBlamedForWhatAgreesByChance) {
  struct Blind {
    const char *op, *name, *input;
    float value;
  };
  const auto blamed = [](const Trial& trial) {
    const std::string causes = CausesOf(trial);
    return causes.find("off by one") != std::string::npos ||
           causes.find("swapped") != std::string::npos ||
           causes.find("column by column") != std::string::npos ||
           causes.find("what belongs to") != std::string::npos;
  };
  for (const Blind& blind :
       {Blind{"moe_block", "bf16/ties/A1_C16_E4_F12_T3", "shared_down", 0.0f},
        Blind{"moe_block", "bf16/ties/A1_C16_E4_F12_T3", "gate", 0.0f},
        Blind{"attention", "f32/wide/D8_G2_H4_S7_T4", "q", 1.0f},
        Blind{"attention", "bf16/wide/D8_G2_H4_S7_T4", "q", 1.0f},
        Blind{"linear", "f32/zeros_first/C64_F64_T12", "x", 0.0f},
        Blind{"gate_up_swiglu", "f32/specials/C48_F11_T3", "x", 1.0f},
        Blind{"nope_attention_block", "f32/outliers/C12_D8_G2_H4_S10_T3", "wo", 1.0f}}) {
    Trial trial = TrialOf(blind.op, blind.name);
    trial.sample.got = trial.sample.inputs;
    Tensor& input = trial.sample.got.at(blind.input);
    for (int64_t i = 0; i < input.count(); ++i) input.SetReal(i, blind.value);
    lab::Run(trial.sample.c, &trial.sample.got, 1);
    EXPECT_FALSE(blamed(trial)) << blind.op << "/" << blind.name << ": " << CausesOf(trial);
  }
  // Without the residual the second of two rows happens to be what the first one should be: half of
  // what is wrong, and not more.
  Trial half = TrialOf("residual_add", "f32/integers/C80_T2");
  Tensors& inputs = half.sample.inputs;
  Tensor &residual = inputs.at("a"), &added = inputs.at("b");
  for (int64_t c = 0; c < 80; ++c) {
    residual.SetReal(c, static_cast<float>(3 * c + 1));
    residual.SetReal(80 + c, static_cast<float>(5 * c + 2));
    added.SetReal(80 + c, static_cast<float>(residual.Real(c) + added.Real(c)));
  }
  half.right = inputs;
  lab::Run(half.sample.c, &half.right, 1);
  half.sample.got.insert_or_assign("y", added);
  EXPECT_FALSE(blamed(half)) << CausesOf(half);
}

TEST(Diagnosis, UnsoundArithmeticIsNamed) {
  EXPECT_SAYS(CausesOf(UnderProfile("residual_add", "f32/subnormals/C80_T3", "flush=both")),
              "flushed to zero");
  Trial tiny = TrialOf("linear", "f32/subnormals/C80_F7_T3");
  FillByClass("normal", 1, 5, 7, &tiny.sample.inputs.at("x"));
  tiny.right = tiny.sample.inputs;
  lab::Run(tiny.sample.c, &tiny.right, 1);
  tiny.sample.got = ProfileOutputs(tiny.sample.c, tiny.sample.inputs,
                                   exact::ProfileFromText("order=lanes:4 fused=no flush=results"));
  EXPECT_SAYS(CausesOf(tiny), "flushed to zero");
  EXPECT_SAYS(CausesOf(UnderProfile("linear", "f32/normal/C80_F7_T3",
                                    "order=lanes:4 fused=no operands=tf32")),
              "--allow tf32)");
  EXPECT_SAYS(
      CausesOf(UnderProfile("linear", "f32/normal/C80_F7_T3", "order=pairwise partial=bf16")),
      "equal bits with order=pairwise partial=bf16");
  EXPECT_SAYS(
      CausesOf(UnderProfile("linear", "f32/normal/C1030_F7_T2", "order=descending partial=bf16")),
      "partial sums in bf16");
  EXPECT_SAYS(CausesOf(UnderProfile("rmsnorm", "bf16/normal/C80_T3", "without=norm_unit")),
              "the rounding place norm_unit is left out");
}

std::vector<Sample> SamplesOf(const std::string& op, const std::vector<std::string>& cases,
                              const std::string& profile) {
  std::vector<Sample> samples;
  for (const std::string& name : cases) samples.push_back(UnderProfile(op, name, profile).sample);
  return samples;
}

const std::vector<std::string> kLinearCases = {
    "f32/integers/C80_F7_T3", "f32/normal/C80_F7_T3",  "f32/normal/C513_F7_T3",
    "f32/normal/C1030_F7_T2", "f32/normal/C705_F7_T1", "bf16/normal/C80_F7_T3",
    "bf16/wide/C80_F7_T3",    "f32/normal/C0_F7_T3",   "f32/normal/C600_F7_T1"};

TEST(MatchingProfiles, FindsTheOneThatAKernelHas) {
  for (const char* text :
       {"contract", "order=pairwise fused=no", "order=lanes:8 rest=after_fold",
        "order=lanes:16 fused=no", "order=split:4", "order=blocked:256 last=larger_half",
        "order=blocked:320 last=half", "order=blocked:288 last=even",
        "order=blocked:512 inside=lanes:8 fold=pairs rest=first_lane",
        "order=ascending operands=tf32", "order=blocked:16 partial=bf16:block"}) {
    const auto names = MatchingProfiles(SamplesOf("linear", kLinearCases, text)).names;
    EXPECT_EQ(names, std::vector<std::string>{text}) << Joined(names);
  }
}

TEST(MatchingProfiles, NamesFunctionsPlacesAndDivisions) {
  // Many rows: the order of a sum seldom reaches the last bit of a row's one reciprocal root.
  const std::vector<std::string> cases = {"f32/normal/C80_T3", "f32/normal/C80_T100",
                                          "bf16/normal/C80_T100"};
  const auto norm = [&](const std::string& text) {
    return MatchingProfiles(SamplesOf("rmsnorm", cases, text)).names;
  };
  EXPECT_EQ(norm("order=lanes:8 without=norm_unit"),
            std::vector<std::string>{"order=lanes:8 without=norm_unit"});
  EXPECT_EQ(norm("order=ascending division=reciprocal root=once"),
            std::vector<std::string>{"order=ascending division=reciprocal root=once"});
  // An op without sums is given no order.
  const auto names = MatchingProfiles(SamplesOf("swiglu", {"f32/normal/F80_T3", "f32/wide/F80_T3"},
                                                "division=reciprocal"))
                         .names;
  EXPECT_EQ(names, std::vector<std::string>{"division=reciprocal"}) << Joined(names);
}

TEST(MatchingProfiles, OneOtherBitEndsThem) {
  std::vector<Sample> samples = SamplesOf("linear", kLinearCases, "order=pairwise");
  ASSERT_FALSE(MatchingProfiles(samples).names.empty());
  Tensor& y = samples[1].got.at("y");
  y.SetReal(3, std::nextafter(static_cast<float>(y.Real(3)), INFINITY));
  EXPECT_TRUE(MatchingProfiles(samples).names.empty());
  EXPECT_TRUE(MatchingProfiles({}).names.empty());
}

TEST(MatchingProfiles, SignsOfZeroAreToldApart) {
  std::vector<Sample> samples = SamplesOf("linear", kLinearCases, "order=pairwise");
  samples.push_back(UnderProfile("linear", "f32/zeros/C80_F7_T3", "order=pairwise").sample);
  EXPECT_FALSE(MatchingProfiles(samples).but_for_zeros);
  Tensor& y = samples.back().got.at("y");
  ASSERT_EQ(y.Real(0), 0.0);
  y.SetReal(0, std::signbit(y.Real(0)) ? 0.0f : -0.0f);
  const MatchingProfile found = MatchingProfiles(samples);
  EXPECT_TRUE(found.but_for_zeros);
  EXPECT_EQ(found.names, std::vector<std::string>{"order=pairwise"}) << Joined(found.names);
}

TEST(MatchingProfiles, SmallCasesLeaveSeveral) {
  const auto names = [](const std::string& one_case) {
    return MatchingProfiles(SamplesOf("linear", {one_case}, "order=blocked:320 last=even")).names;
  };
  // Three blocks of at most 240. A slice of the contract holds 80.
  EXPECT_EQ(
      Joined(names("f32/normal/C705_F7_T3")),
      "order=blocked:256 last=even\norder=blocked:288 last=even\norder=blocked:320 last=even\n");
  EXPECT_EQ(Joined(names("f32/normal/C80_F7_T3")), "contract\n");
}

}  // namespace
}  // namespace touchstone::lab
