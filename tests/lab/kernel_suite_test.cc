// What a verdict is worth: cases that a kernel refuses are never passed, a suite of which too
// little ran is underpowered, and what the suite is there to show is shown.
#include <gtest/gtest.h>

#include <cmath>

#include "lab/errors.h"
#include "tests/lab/test_kernel.h"

namespace touchstone::lab {
namespace {

TEST(KernelSuite, RefusedCasesAndRecipesAreNeverPassed) {
  const auto refuses = [](Call call) {
    call.Right();
    if (call.c.input_class == "wide") call.result.state = RunState::kRefused;
  };
  TestKernel kernel(RmsNormOp(), refuses);
  kernel.info_.recipes = {Dtype::kF32};
  const KernelReport report = JudgeKernel(RmsNormOp(), &kernel, Quick());
  EXPECT_EQ(report.verdict, Verdict::kBitExact);
  EXPECT_EQ(report.Count(Verdict::kNotRun), 1);
  EXPECT_SAYS(Text(report), "not run      1 case, refused by the kernel: f32/wide/C80_T3");
  EXPECT_SAYS(Text(report), "left out     recipe bf16: the kernel does not declare it");
  EXPECT_SAYS(KernelJUnit({report}), "<skipped message=\"refused by the kernel\"/>");

  const KernelReport nothing = Judge([](Call call) { call.result.state = RunState::kRefused; });
  EXPECT_EQ(nothing.verdict, Verdict::kNotRun);
  EXPECT_EQ(ExitCodeOf(nothing), kNotRun);
  EXPECT_SAYS(nothing.reason, "refused by the kernel");
}

TEST(KernelSuite, ASuiteOfWhichTooLittleRanIsUnderpowered) {
  KernelOptions options;
  options.recipes = {Dtype::kF32};
  const auto almost_nothing = [](Call call) {
    call.Right();
    if (call.c.size('C') != 1) call.result.state = RunState::kRefused;
  };
  const KernelReport report = Judge(almost_nothing, options);
  EXPECT_EQ(report.verdict, Verdict::kUnderpowered) << Text(report);
  EXPECT_EQ(ExitCodeOf(report), kFailed);
  EXPECT_SAYS(report.reason, "a planted fault, '");
  options.only_case = "f32/normal/C1_T1";
  EXPECT_EQ(Judge(almost_nothing, options).verdict, Verdict::kBitExact)
      << "a single case is never underpowered";
}

// A kernel for whole vectors of 16 channels is judged by what it takes, and what a ragged tail
// would show is listed.
TEST(KernelSuite, AKernelThatRefusesRaggedSizesIsNotUnderpowered) {
  const auto whole_vectors = [](Call call) {
    call.Right();
    if (call.c.size('C') % 16 != 0) call.result.state = RunState::kRefused;
  };
  KernelOptions options;
  const KernelReport report = Judge(whole_vectors, options);
  EXPECT_EQ(report.verdict, Verdict::kBitExact) << Text(report);
  EXPECT_SAYS(Text(report), "only cases that did not run would show: tail after 4s c of y zero");
  options.smallest = true;
  const KernelReport smallest = Judge([](Call call) { call.Right(); }, options);
  EXPECT_EQ(smallest.verdict, Verdict::kBitExact) << Text(smallest);
  EXPECT_SAYS(Text(smallest), "not tried: they try a whole suite");
}

// 0 * inf is NaN: a kernel may not skip its zeros.
TEST(KernelSuite, SkippedZerosFail) {
  const OpSpec& op = *FindOp("linear");
  const auto skips = [](Call call) {
    call.Right();
    const int64_t T = call.c.size('T'), F = call.c.size('F'), C = call.c.size('C');
    for (int64_t i = 0; i < T * F; ++i) {
      double sum = 0.0;
      bool met = false;  // a zero of x met a weight that is not finite
      for (int64_t c = 0; c < C; ++c) {
        const double x = call.tensors.at("x").Real(i / F * C + c);
        const double w = call.tensors.at("weight").Real(i % F * C + c);
        met = met || (x == 0.0 && !std::isfinite(w));
        if (x != 0.0) sum += x * w;
      }
      if (met) call.out().SetReal(i, static_cast<float>(sum));
    }
  };
  KernelOptions options = Quick();
  const KernelReport report = Judge(skips, options, op);
  EXPECT_EQ(report.verdict, Verdict::kFailed) << Text(report);
  EXPECT_SAYS(Text(report), "FAILED f32/zeros_first");
}

// floor((position + 1) / 3) is exact where 3 divides: one less is no matter of rounding.
TEST(KernelSuite, AStepOneTokenLateFails) {
  const OpSpec& op = *FindOp("temperature");
  KernelOptions options = Quick();
  for (const Case& c : CasesOf(op)) {
    if (c.attribute("floor_scale") == 3 && c.recipe == Dtype::kF32) options.only_case = c.Name();
  }
  ASSERT_NE(options.only_case, "");
  const auto late = [](Call call) {
    int64_t* position = call.tensors.at("positions").values<int64_t>();
    for (int64_t t = 0; t < call.c.size('T'); ++t) position[t] -= position[t] > 0 ? 1 : 0;
    call.Right();
  };
  EXPECT_EQ(Judge(late, options, op).verdict, Verdict::kFailed);
  EXPECT_EQ(Judge([](Call call) { call.Right(); }, options, op).verdict, Verdict::kBitExact);
}

TEST(KernelSuite, NothingToCompareIsAFailure) {
  KernelOptions options = Quick();
  options.only_case = "f32/normal/C80_T0";
  const KernelReport report = Judge([](Call call) { call.Right(); }, options);
  EXPECT_EQ(report.verdict, Verdict::kFailed);
  EXPECT_SAYS(report.reason, "no element");
}

}  // namespace
}  // namespace touchstone::lab
