// Chains: what overflows on the way is not judged, steps share tensors by name and by letters, and
// a chain's bits are those of its ops.
#include "lab/chain.h"

#include <gtest/gtest.h>

#include "lab/errors.h"
#include "lab/input_class.h"
#include "lab/judge.h"

namespace touchstone::lab {
namespace {

// A feed-forward of one channel.
Comparison OneChannel(Dtype recipe, float gate, float up, float down) {
  const OpSpec& op = *FindOp("feed_forward");
  const Case c = CaseFromName(op, std::string(Name(recipe)) + "/normal/C1_F1_T1");
  Tensors tensors = MakeTensors(c);
  for (const auto& [name, value] : {std::pair{"x", 1.0f}, std::pair{"gate", gate},
                                    std::pair{"up", up}, std::pair{"down", down}}) {
    tensors.at(name).SetReal(0, value);
  }
  const Expected expected = Enclose(c, tensors, AllPlaces(op, exact::Place::kHull));
  lab::Run(c, &tensors, 1);
  return CompareWithExpected(c, tensors, expected);
}

TEST(Chain, AnIntermediateBeyondBinary32IsNotJudged) {
  // 1e20 squared is infinite in binary32; a kernel that keeps it wider is sound too.
  EXPECT_EQ(OneChannel(Dtype::kF32, 1e20f, 1e20f, 1e-10f).undecidable, 1);
  // 0x1.ffp127 is a tie of the largest bf16 and infinity: with and without the place differ.
  EXPECT_EQ(OneChannel(Dtype::kBf16, 0x1.cp64f, 0x1.24p63f, 0x1p-20f).undecidable, 1);
  const Comparison judged = OneChannel(Dtype::kF32, 2.0f, 3.0f, 1.0f);
  EXPECT_EQ(judged.undecidable, 0);
  EXPECT_TRUE(judged.Passed());
}

TEST(Chain, StepsGiveTheBitsOfTheirOps) {
  const Case c = CasesOf(*FindOp("residual_add_rmsnorm")).front();
  Tensors tensors = MakeTensors(c);
  lab::Run(c, &tensors, 1);
  for (const StepCase& step : StepsOf(c)) {
    Tensors alone;
    for (const Argument& argument : step.c.op->arguments) {
      alone.emplace(argument.name, tensors.at(step.step->tensors.at(argument.name)));
    }
    const Tensors before = alone;
    lab::Run(step.c, &alone, 1);
    for (const Argument& argument : step.c.op->arguments) {
      EXPECT_EQ(alone.at(argument.name).data, before.at(argument.name).data) << argument.name;
    }
  }
}

TEST(Chain, AStepThatNamesNothingIsRefused) {
  OpSpec chain = *FindOp("residual_add_rmsnorm");
  const auto refused = [&] {
    const Case c{&chain, Dtype::kF32, "normal", chain.sizes, chain.attributes, 1};
    EXPECT_THROW(StepsOf(c), UsageError);
  };
  chain.steps[0].op = "no_such_op";
  refused();
  chain.steps[0].op = "rmsnorm_residual_add";
  refused();
  chain.steps = FindOp("residual_add_rmsnorm")->steps;
  chain.steps[1].tensors.erase("weight");
  refused();
}

}  // namespace
}  // namespace touchstone::lab
