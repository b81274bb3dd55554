// Judging a kernel: right ones, and ones that go wrong in every way that a kernel can, each with
// its verdict, its exit code and what the reports say of it.
#include "lab/kernel/kernel_verify.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstring>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "lab/chain.h"
#include "lab/errors.h"
#include "tests/lab/test_kernel.h"

namespace touchstone::lab {
namespace {

void OneUlpUp(Tensor* tensor, int64_t i) {
  if (tensor->dtype == Dtype::kF32) {
    uint32_t bits = 0;
    std::memcpy(&bits, tensor->data.data() + 4 * i, 4);
    ++bits;
    std::memcpy(tensor->data.data() + 4 * i, &bits, 4);
  } else {
    ++tensor->values<Bf16>()[i].bits;
  }
}

TEST(KernelVerify, TheReferenceIsBitExactDeterministicAndInvariant) {
  KernelOptions options = Quick();
  options.smallest = false;
  options.decoys = true;
  options.threads = 2;
  const KernelReport report = Judge([](Call call) { call.Right(); }, options);
  EXPECT_EQ(report.verdict, Verdict::kBitExact) << Text(report);
  EXPECT_EQ(ExitCodeOf(report), kPassed);
  EXPECT_EQ(report.Ran(), static_cast<int64_t>(CasesOf(RmsNormOp()).size()));
  EXPECT_EQ(report.determinism.cases, report.Ran());
  EXPECT_GT(report.invariance.variants, report.Ran());
  EXPECT_EQ(report.bits_different, 0);
  const std::string text = Text(report);
  EXPECT_SAYS(text, "BIT-EXACT: rmsnorm by mine (./mine.so)\n");
  EXPECT_SAYS(text, "  determinism  yes: ");
  EXPECT_SAYS(text, "  batch        invariant: ");
  EXPECT_SAYS(text, " planted faults rejected\n");
  EXPECT_FALSE(Contains(text, "\033")) << "colours where nobody asked";
  const auto json = nlohmann::json::parse(KernelJson({report})).at("reports").at(0);
  EXPECT_EQ(json.at("verdict"), "BIT-EXACT");
  EXPECT_EQ(json.at("kernel").at("origin"), "./mine.so");
  EXPECT_EQ(json.at("case_results").size(), report.cases.size());
  EXPECT_GT(json.at("decoys").at("list").size(), 0u);
  EXPECT_EQ(json.at("failures").size(), 0u);
}

TEST(KernelVerify, AnUlpInBinary32IsWithinTheBoundAndNoMoreUnderContractExact) {
  const auto ulp = [](Call call) {
    call.Right();
    if (call.c.recipe == Dtype::kF32 && call.c.input_class == "normal") OneUlpUp(&call.out(), 0);
  };
  KernelOptions options = Quick();
  options.invariance = false;  // of other numbers an ulp may be too much
  const KernelReport bounded = Judge(ulp, options);
  EXPECT_EQ(bounded.verdict, Verdict::kWithinBound) << Text(bounded);
  EXPECT_EQ(ExitCodeOf(bounded), kPassed);
  EXPECT_EQ(bounded.bits_different, 1);
  EXPECT_SAYS(Text(bounded), "WITHIN BOUND, largest ratio ");
  options.contract = Contract::kExact;
  const KernelReport exact = Judge(ulp, options);
  EXPECT_EQ(exact.verdict, Verdict::kWithinBound);
  EXPECT_EQ(ExitCodeOf(exact), kFailed);
  EXPECT_SAYS(Text(exact), "the contract asked for is exact");
  EXPECT_SAYS(Text(exact), "y[t=0 c=0], the first of 1 in 1 elements");
  EXPECT_SAYS(KernelJUnit({exact}), "<failure message=\"WITHIN BOUND\">bits: y[t=0 c=0]");
}

TEST(KernelVerify, AWrongElementIsNamedWithItsIntervalAndRepeated) {
  const KernelReport report = Judge([](Call call) {
    call.Right();
    if (call.c.Name() == "bf16/ties/C80_T3") call.out().SetReal(97, 64.0f);
  });
  EXPECT_EQ(report.verdict, Verdict::kFailed);
  EXPECT_EQ(ExitCodeOf(report), kFailed);
  EXPECT_EQ(report.Count(Verdict::kFailed), 1);
  const std::string text = Text(report);
  EXPECT_SAYS(text,
              "FAILED bf16/ties/C80_T3\n    bound         y[t=1 c=17], the first of 1 in 240 ");
  EXPECT_SAYS(text, "0x1p+6 = 64 (0x4280)");
  EXPECT_SAYS(text,
              "\n    ./touchstone verify rmsnorm --kernel ./mine.so --case bf16/ties/C80_T3\n");
  const auto json = nlohmann::json::parse(KernelJson({report})).at("reports").at(0);
  EXPECT_EQ(json.at("failures").at(0).at("at"), "t=1 c=17");
  EXPECT_TRUE(json.at("failures").at(0).contains("ulps"));
}

TEST(KernelVerify, ARowThatIsNotWrittenIsFoundInBothPoisons) {
  const KernelReport report = Judge([](Call call) {
    const Tensor before = call.out();
    call.Right();
    if (call.c.size('T') != 3) return;
    const auto row = static_cast<std::ptrdiff_t>(call.out().data.size() / 3);
    std::copy_n(before.data.begin() + row, row, call.out().data.begin() + row);
  });
  EXPECT_EQ(report.verdict, Verdict::kFailed);
  EXPECT_SAYS(Text(report), "never written y[t=1 c=0], the first of 80 in 240 elements");
  EXPECT_EQ(report.determinism.different, 0) << "other poison is not another result";
}

TEST(KernelVerify, OutputsOfAnEarlierCallOfTheseSizesAreWrong) {
  std::map<std::string, Tensor> kept;
  const KernelReport report = Judge([&kept](Call call) {
    call.Right();
    const int64_t key = call.c.size('T') * 10000 + call.c.size('C');
    call.out() =
        kept.try_emplace(std::to_string(key) + std::string(Name(call.c.recipe)), call.out())
            .first->second;
  });
  EXPECT_EQ(report.verdict, Verdict::kFailed);
  EXPECT_GT(report.Count(Verdict::kFailed), 1);
}

TEST(KernelVerify, TwoRunsThatDifferAreReportedBesideTheVerdict) {
  const KernelReport report = Judge([](Call call) {
    call.Right();
    if (call.options.poison == Poison::kFinite && call.c.recipe == Dtype::kF32 &&
        call.c.input_class == "integers") {
      OneUlpUp(&call.out(), 3);
    }
  });
  EXPECT_EQ(report.verdict, Verdict::kWithinBound) << Text(report);
  EXPECT_EQ(report.determinism.different, 1);
  EXPECT_EQ(report.determinism.first_case, "f32/integers/C80_T3");
  EXPECT_SAYS(Text(report), "determinism  NO: 1 of ");
  const auto json = nlohmann::json::parse(KernelJson({report})).at("reports").at(0);
  EXPECT_EQ(json.at("determinism").at("first").at("at"), "t=0 c=3");
}

TEST(KernelVerify, RowsThatDependOnTheirCompanyAreReportedBesideTheVerdict) {
  const KernelReport report = Judge([](Call call) {
    call.Right();
    // Another path for a batch of one row, as tuned libraries have it.
    if (call.c.recipe == Dtype::kF32 && call.c.input_class == "integers" && call.c.size('T') == 1 &&
        call.c.size('C') == 80) {
      OneUlpUp(&call.out(), 5);
    }
  });
  EXPECT_EQ(report.verdict, Verdict::kWithinBound) << Text(report);
  EXPECT_GT(report.invariance.different_rows, 0);
  EXPECT_SAYS(Text(report), "NOT invariant: ");
  EXPECT_SAYS(Text(report), "row t=0 alone, y[t=0 c=5]");
  EXPECT_EQ(report.invariance.first_variant, "row t=0 alone");
  KernelOptions options = Quick();
  options.invariance = false;
  EXPECT_SAYS(Text(Judge([](Call call) { call.Right(); }, options)),
              "batch        not tried: not asked for");
}

TEST(KernelVerify, WrongOnSeveralThreadsAloneIsWrong) {
  const KernelReport report = Judge([](Call call) {
    call.Right();
    if (call.options.threads > 1 && call.c.size('C') == 80) call.out().SetReal(3, 64.0f);
  });
  EXPECT_EQ(report.verdict, Verdict::kFailed) << Text(report);
  EXPECT_SAYS(Text(report), "y[t=0 c=3, run again on 3 threads]");
}

TEST(KernelVerify, WrongForOtherNumbersOfRowsAloneIsWrong) {
  const KernelReport report = Judge([](Call call) {
    call.Right();
    if (call.c.size('T') == 1 && call.c.size('C') == 80) call.out().SetReal(5, 64.0f);
  });
  EXPECT_EQ(report.verdict, Verdict::kFailed) << Text(report);
  EXPECT_SAYS(Text(report), "y[t=0 c=5, row t=0 alone]");
}

TEST(KernelVerify, SwappedRowsFail) {
  const KernelReport report = Judge([](Call call) {
    call.Right();
    if (call.c.size('T') != 3) return;
    auto& data = call.out().data;
    const auto row = static_cast<std::ptrdiff_t>(data.size() / 3);
    std::swap_ranges(data.begin(), data.begin() + row, data.begin() + row);
  });
  EXPECT_EQ(report.verdict, Verdict::kFailed);
  EXPECT_SAYS(Text(report), "y[t=0 c=");
}

TEST(KernelVerify, PositionsReadWronglyFail) {
  const OpSpec& op = *FindOp("rope_table");
  const KernelReport report = Judge(
      [](Call call) {
        Tensor& positions = call.tensors.at("positions");
        const Tensor before = positions;
        for (int64_t i = 1; i < positions.count(); ++i) {
          positions.values<int64_t>()[i] = before.values<int64_t>()[i - 1];
        }
        call.Right();
      },
      Quick(), op);
  EXPECT_EQ(report.verdict, Verdict::kFailed) << Text(report);
}

TEST(KernelVerify, ACrashIsAVerdictAndTheOtherCasesAreJudged) {
  const KernelReport report = Judge([](Call call) {
    call.Right();
    if (call.c.Name() != "f32/wide/C80_T3") return;
    call.result.state = RunState::kCrashed;
    call.result.what = "signal 11 (SIGSEGV) in run";
  });
  EXPECT_EQ(report.verdict, Verdict::kCrashed);
  EXPECT_EQ(ExitCodeOf(report), kCrashed);
  EXPECT_EQ(report.Count(Verdict::kCrashed), 1);
  EXPECT_EQ(report.Count(Verdict::kBitExact), static_cast<int64_t>(report.cases.size()) - 1);
  EXPECT_SAYS(Text(report), "CRASHED f32/wide/C80_T3: signal 11 (SIGSEGV) in run");
  EXPECT_SAYS(KernelJUnit({report}), "<error message=\"CRASHED\">signal 11");
}

TEST(KernelVerify, ACrashOutranksAWrongElement) {
  const KernelReport report = Judge([](Call call) {
    call.Right();
    if (call.c.input_class == "ties") call.out().SetReal(0, 99.0f);
    if (call.c.input_class == "outliers" && call.options.poison == Poison::kFinite) {
      call.result.state = RunState::kTimedOut;
      call.result.what = "did not return in 20 s";
    }
  });
  EXPECT_EQ(report.verdict, Verdict::kTimedOut);
  EXPECT_EQ(ExitCodeOf(report), 5);
  EXPECT_EQ(report.Count(Verdict::kFailed), 1) << "in f32; two time-outs come before it in bf16";
  EXPECT_SAYS(Text(report), "run again: did not return in 20 s");
}

TEST(KernelVerify, AfterThreeCrashesInARowTheRestIsLeftOut) {
  int calls = 0;
  const KernelReport report = Judge([&calls](Call call) {
    ++calls;
    call.result.state = RunState::kCrashed;
    call.result.what = "signal 6";
  });
  EXPECT_EQ(calls, 3);
  EXPECT_EQ(report.verdict, Verdict::kCrashed);
  EXPECT_EQ(report.Count(Verdict::kNotRun), static_cast<int64_t>(report.cases.size()) - 3);
  EXPECT_SAYS(Text(report), "left out after 3 crashes in a row");
}

TEST(KernelVerify, WhatAKernelMayNotDoFailsWhateverItsOutputs) {
  const KernelReport report = Judge([](Call call) {
    call.Right();
    call.result.breaches = {"changes its input x"};
  });
  EXPECT_EQ(report.verdict, Verdict::kFailed);
  EXPECT_SAYS(Text(report), "breach        changes its input x\n");
  EXPECT_EQ(report.cases.front().failures.size(), 1u) << "said once, not for every run";
}

TEST(KernelVerify, AnErrorFromTheKernelAndAnOutputOfAnotherShapeFail) {
  const KernelReport error = Judge([](Call call) {
    call.result.state = RunState::kFailed;
    call.result.what = "returned 7";
  });
  EXPECT_EQ(error.verdict, Verdict::kFailed);
  EXPECT_SAYS(Text(error), "error         returned 7\n");
  const KernelReport shape = Judge([](Call call) {
    call.out() = Tensor(call.out().dtype, {1, 2, 3});
  });
  EXPECT_EQ(shape.verdict, Verdict::kFailed);
  const KernelReport missing = Judge([](Call call) { call.tensors.erase("y"); });
  EXPECT_EQ(missing.verdict, Verdict::kFailed);
  EXPECT_SAYS(Text(missing), "no such output");
}

// What the kernel's author and the kernel say is shown and not obeyed.
TEST(KernelVerify, TextOfTheKernelIsEscaped) {
  TestKernel kernel(RmsNormOp(), [](Call call) {
    call.result.state = RunState::kFailed;
    call.result.what = "\033[2J<b>\xff";
  });
  kernel.info_.name = "a\nBIT-EXACT \xc3\xa9\xff";
  const KernelReport report = JudgeKernel(RmsNormOp(), &kernel, Quick());
  const std::string text = Text(report), json = KernelJson({report}), xml = KernelJUnit({report});
  for (const std::string& shown : {text, json, xml}) {
    EXPECT_FALSE(Contains(shown, "\033"));
    EXPECT_FALSE(Contains(shown, "\nBIT-EXACT"));
  }
  EXPECT_SAYS(text, "\\x1b[2J<b>\\xff");
  EXPECT_SAYS(xml, "?[2J&lt;b&gt;?");
  const auto row = nlohmann::json::parse(json).at("reports").at(0);
  EXPECT_EQ(row.at("kernel").at("name"), "a\nBIT-EXACT \xc3\xa9\xef\xbf\xbd") << "as it came";
}

void UnderProfile(Call call, const exact::Profile& profile) {
  const auto results = Evaluate(call.c, call.tensors, profile, true);
  const exact::FloatMatrix& y = results.reals.at("y");
  for (int64_t i = 0; i < y.size(); ++i) call.out().SetReal(i, y.data()[i]);
}

TEST(KernelVerify, UnderItsOwnProfileAKernelIsBitExactAndUnderAnotherItFails) {
  KernelOptions options;
  options.decoys = false;
  options.contract = Contract::kProfile;
  const exact::Profile pairwise = {.name = "pairwise", .order = exact::Order::kPairwise};
  const auto kernel = [&](Call call) { UnderProfile(call, pairwise); };
  options.profile = pairwise;
  const KernelReport right = Judge(kernel, options);
  EXPECT_EQ(right.verdict, Verdict::kBitExact) << Text(right);
  EXPECT_SAYS(Text(right), "BIT-EXACT under profile pairwise: rmsnorm by mine");
  options.profile = {.name = "descending", .order = exact::Order::kDescending};
  const KernelReport wrong = Judge(kernel, options);
  EXPECT_EQ(wrong.verdict, Verdict::kFailed);
  EXPECT_EQ(ExitCodeOf(wrong), kFailed);
  EXPECT_SAYS(Text(wrong), "    profile       y[");
  EXPECT_SAYS(Text(wrong), "equal bits under profile order=pairwise");
}

TEST(KernelVerify, AnAllowanceWidensTheBoundAndIsNamed) {
  const auto flushes = [](Call call) {
    call.Right();
    for (int64_t i = 0; i < call.out().count(); ++i) {
      if (std::fabs(call.out().Real(i)) < 0x1p-126) call.out().SetReal(i, 0.0f);
    }
  };
  const OpSpec& op = *FindOp("residual_add");
  KernelOptions options = Quick();
  const KernelReport failed = Judge(flushes, options, op);
  EXPECT_EQ(failed.verdict, Verdict::kFailed);
  EXPECT_SAYS(Text(failed), "FAILED f32/subnormals/");
  options.allowance = exact::AllowanceFromText("ftz");
  const KernelReport allowed = Judge(flushes, options, op);
  EXPECT_EQ(allowed.verdict, Verdict::kWithinBound) << Text(allowed);
  EXPECT_SAYS(Text(allowed), " of a widened bound: residual_add by mine");
  EXPECT_SAYS(Text(allowed), "  widened      ftz: ");
}

TEST(KernelVerify, SaysWhichInnerRoundingsAKernelHas) {
  KernelOptions options;
  options.decoys = false;
  options.recipes = {Dtype::kBf16};
  const exact::Profile once = {.name = "once", .left_out = {exact::RoundingPlace::kNormUnit}};
  const KernelReport report = Judge([&](Call call) { UnderProfile(call, once); }, options);
  EXPECT_EQ(report.verdict, Verdict::kWithinBound) << Text(report);
  ASSERT_EQ(report.places.size(), 1u);
  EXPECT_EQ(report.places[0].place, "norm_unit");
  EXPECT_EQ(report.places[0].used, PlaceUsed::kNo);
  EXPECT_SAYS(Text(report), "rounding     inside: not at norm_unit");
}

TEST(KernelVerify, AfterTwoTimeOutsTheRestIsLeftOut) {
  int calls = 0;
  const KernelReport report = Judge([&calls](Call call) {
    call.Right();
    if (++calls % 20 == 7) call.result.state = RunState::kTimedOut;
  });
  EXPECT_EQ(report.verdict, Verdict::kTimedOut) << Text(report);
  EXPECT_EQ(report.Count(Verdict::kTimedOut), 2);
  EXPECT_GT(report.Count(Verdict::kBitExact), 0);
  EXPECT_SAYS(Text(report), "left out after 2 time-outs");
}

TEST(KernelVerify, AnInterruptedRunIsNotPassedAndKeepsWhatItFound) {
  std::atomic<bool> stop{false};
  KernelOptions options = Quick();
  options.stop = &stop;
  int calls = 0;
  const KernelReport report = Judge(
      [&](Call call) {
        call.Right();
        if (++calls >= 20) stop = true;
      },
      options);
  EXPECT_EQ(report.verdict, Verdict::kNotRun) << Text(report);
  EXPECT_EQ(ExitCodeOf(report), kNotRun);
  EXPECT_GT(report.Count(Verdict::kBitExact), 0);
  EXPECT_SAYS(report.reason, "interrupted after ");
}

TEST(KernelVerify, LinesKeepToTheWidth) {
  const KernelReport report = Judge([](Call call) {
    call.Right();
    if (call.c.input_class == "wide") call.out().SetReal(0, 99.0f);
  });
  const std::string text = KernelText(report, {.width = 60, .color = true});
  EXPECT_TRUE(text.starts_with("\033[1;31mFAILED\033[0m: ")) << text;
  int64_t column = 0, longest = 0;
  bool is_command = false;
  for (const char c : text) {
    column = c == '\n' ? 0 : column + 1;
    if (column == 5) is_command = c == '.';
    if (!is_command) longest = std::max(longest, column);
  }
  EXPECT_LE(longest, 71) << "the first line's colours count\n" << text;
}

}  // namespace
}  // namespace touchstone::lab
