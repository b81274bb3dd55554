// Allowances: on every op's cases a kernel with exactly the allowed habit is within the widened
// bound, and on some it is outside the plain one; a kernel with twice the habit is outside both.
#include "reference/exact/allowance.h"

#include <gtest/gtest.h>

#include <set>
#include <stdexcept>

#include "lab/diagnosis/profile_outputs.h"
#include "lab/input_class.h"
#include "lab/judge.h"

namespace touchstone::lab {
namespace {

using exact::Allowance;
using exact::AllowanceFromText;

constexpr double kMostWork = 2e4;  // multiply-adds: larger cases take longer and say no more

Comparison Judged(const Case& c, const Tensors& inputs, const Tensors& outputs,
                  const Allowance& allowance) {
  return CompareWithExpected(c, outputs,
                             Enclose(c, inputs, AllPlaces(*c.op, exact::Place::kHull), allowance));
}

struct Tried {
  int64_t compared = 0;
  std::set<std::string> outside_plain;    // ops
  std::set<std::string> outside_widened;  // cases
};

// Every case that is small enough, under the profile; plain and widened.
Tried Try(const std::string& profile_text, const Allowance& allowance) {
  const exact::Profile profile = exact::ProfileFromText(profile_text);
  Tried tried;
  for (const OpSpec* op : AllOps()) {
    for (const Case& c : CasesOf(*op)) {
      if (WorkOf(c) > kMostWork) continue;
      const Tensors inputs = MakeTensors(c);
      const Tensors outputs = ProfileOutputs(c, inputs, profile);
      const Comparison widened = Judged(c, inputs, outputs, allowance);
      tried.compared += widened.compared;
      if (widened.outside > 0) {
        tried.outside_widened.insert(op->name + " " + c.Name() + " " + widened.first->at + " got " +
                                     widened.first->got + " wanted " + widened.first->wanted);
      }
      if (tried.outside_plain.contains(op->name)) continue;
      if (Judged(c, inputs, outputs, {}).outside > 0) tried.outside_plain.insert(op->name);
    }
  }
  return tried;
}

std::string Joined(const std::set<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += "\n  " + name;
  return text;
}

void ExpectHolds(const std::string& profile, const std::string& allowance,
                 const std::set<std::string>& ops_outside_plain) {
  const Tried tried = Try(profile, AllowanceFromText(allowance));
  EXPECT_GT(tried.compared, 10000) << profile;
  EXPECT_TRUE(tried.outside_widened.empty())
      << profile << " leaves the bound of " << allowance << ":" << Joined(tried.outside_widened);
  for (const std::string& op : ops_outside_plain) {
    EXPECT_TRUE(tried.outside_plain.contains(op)) << profile << " is within the bound of " << op;
  }
}

TEST(Allowance, FtzHoldsKernelsThatFlush) {
  ExpectHolds("flush=both", "ftz", {"residual_add", "rope", "qk_norm", "attention", "combine"});
  ExpectHolds("order=pairwise fused=no flush=results", "ftz", {"residual_add"});
  ExpectHolds("order=lanes:8 flush=inputs", "ftz", {"residual_add"});
}

TEST(Allowance, Tf32HoldsKernelsWithSuchOperands) {
  const std::set<std::string> contractions = {"linear", "logits", "expert_linear", "attention"};
  ExpectHolds("order=lanes:16 operands=tf32", "tf32", contractions);
  ExpectHolds("operands=tf32_truncated", "tf32_truncated", contractions);
  ExpectHolds("order=ascending fused=no operands=tf32_truncated", "tf32_truncated", contractions);
}

// One product, so that nothing cancels and no other error hides it.
Case OneProduct() { return CaseFromName(*FindOp("linear"), "f32/normal/C1_F1_T1"); }

TEST(Allowance, TwiceTheErrorIsOutside) {
  const Case c = OneProduct();
  Tensors inputs = MakeTensors(c);
  const auto outside = [&](double error, const std::string& allowance) {
    Tensors outputs = inputs;
    Tensor& y = outputs.at("y");
    const double product = inputs.at("x").Real(0) * inputs.at("weight").Real(0);
    y.SetReal(0, static_cast<float>(product * (1.0 - error)));
    return Judged(c, inputs, outputs, AllowanceFromText(allowance)).outside;
  };
  // Neither factor is a number of 11 significant bits.
  inputs.at("x").SetReal(0, 1.0f / 3.0f);
  inputs.at("weight").SetReal(0, 1.0f / 7.0f);
  EXPECT_EQ(outside(1.9 * 0x1p-11, "tf32"), 0);
  EXPECT_EQ(outside(4.0 * 0x1p-11, "tf32"), 1);
  EXPECT_EQ(outside(1.9 * 0x1p-10, "tf32_truncated"), 0);
  EXPECT_EQ(outside(4.0 * 0x1p-10, "tf32_truncated"), 1);
  EXPECT_EQ(outside(1.9 * 0x1p-11, ""), 1);
  EXPECT_EQ(outside(1.9 * 0x1p-11, "ftz"), 1);
  // Factors of 11 bits stay what they are: nothing is allowed.
  inputs.at("x").SetReal(0, 1.0f + 0x1p-10f);
  inputs.at("weight").SetReal(0, 3.0f);
  EXPECT_EQ(outside(0x1p-12, "tf32"), 1);
  EXPECT_EQ(outside(0.0, "tf32"), 0);
}

TEST(Allowance, FtzAllowsZeroForWhatIsBelowTheSmallestNormalAndNoMore) {
  const OpSpec& op = *FindOp("residual_add");
  const Case c = CaseFromName(op, "f32/normal/C1_T1");
  Tensors inputs = MakeTensors(c);
  const auto outside = [&](float a, float b, float y) {
    inputs.at("a").SetReal(0, a);
    inputs.at("b").SetReal(0, b);
    Tensors outputs = inputs;
    outputs.at("y").SetReal(0, y);
    return Judged(c, inputs, outputs, AllowanceFromText("ftz")).outside;
  };
  EXPECT_EQ(outside(0x1p-127f, 0x1p-128f, 0.0f), 0);
  EXPECT_EQ(outside(0x1p-125f, 0x1p-126f, 0.0f), 1) << "a normal result may not be flushed";
  EXPECT_EQ(outside(1.0f, 0x1p-24f, 1.0f), 0);
  EXPECT_EQ(outside(0x1p-125f, 0x1p-127f, 0x1p-125f), 0) << "the subnormal input may be read as 0";
  EXPECT_EQ(outside(0x1p-125f, 0x1.8p-126f, 0x1p-125f), 1) << "a normal input may not";
}

// The first case in which a kernel of that profile leaves the plain bound; empty: none.
std::string LeavesTheBound(const exact::Profile& profile, const std::vector<const OpSpec*>& ops,
                           double most_work) {
  for (const OpSpec* op : ops) {
    for (const Case& c : CasesOf(*op)) {
      if (WorkOf(c) > most_work) continue;
      const Tensors inputs = MakeTensors(c);
      if (Judged(c, inputs, ProfileOutputs(c, inputs, profile), {}).outside > 0) {
        return op->name + " " + c.Name();
      }
    }
  }
  return "";
}

TEST(Sound, EveryUnsoundChoiceLeavesTheBoundInSomeCase) {
  for (const char* text :
       {"output=truncated", "output=away", "flush=inputs", "flush=results", "operands=tf32",
        "operands=tf32_truncated", "operands=bf16", "partial=bf16", "partial=f16",
        "partial=bf16:block", "partial=f16:block", "exp=fast", "with=scores", "with=scaled_scores",
        "with=probabilities", "with=exponentials"}) {
    const exact::Profile profile = exact::ProfileFromText(text);
    EXPECT_FALSE(exact::Sound(profile)) << text;
    EXPECT_NE(LeavesTheBound(profile, AllOps(), kMostWork), "") << text;
  }
}

TEST(Sound, SoundProfilesOfThePanelNeverLeaveIt) {
  const std::vector<const OpSpec*> ops = {FindOp("linear"), FindOp("attention")};
  for (const exact::Profile& profile : exact::ProfilePanel()) {
    if (!exact::Sound(profile)) continue;
    EXPECT_EQ(LeavesTheBound(profile, ops, 2e3), "") << profile.name;
  }
  for (const char* text : {"division=reciprocal root=once", "functions=library root=once",
                           "order=lanes:8 division=reciprocal functions=two_ulp"}) {
    const exact::Profile profile = exact::ProfileFromText(text);
    EXPECT_EQ(LeavesTheBound(profile, AllOps(), 5e3), "") << text;
  }
}

TEST(Allowance, EndsWithItsScope) {
  {
    const exact::Allowing allowing(AllowanceFromText("ftz"));
    EXPECT_TRUE(exact::Allowed().ftz);
    {
      const exact::Allowing inner(AllowanceFromText("tf32"));
      EXPECT_FALSE(exact::Allowed().ftz);
    }
    EXPECT_TRUE(exact::Allowed().ftz);
  }
  EXPECT_FALSE(exact::Allowed().any());
}

TEST(Allowance, TextGoesBothWays) {
  for (const char* text : {"", "tf32", "tf32_truncated", "ftz", "tf32,ftz"}) {
    EXPECT_EQ(exact::AllowanceText(AllowanceFromText(text)), text);
  }
  EXPECT_EQ(exact::AllowanceText(AllowanceFromText("ftz,tf32")), "tf32,ftz");
  for (const char* text : {"TF32", "ftz,", ",", "tf32;ftz", " ftz", "bf16"}) {
    EXPECT_THROW(AllowanceFromText(text), std::invalid_argument) << text;
  }
}

}  // namespace
}  // namespace touchstone::lab
