// The cases of golden/worst in a kernel's verdict: they are judged after the op's own, one that
// fails tells its file, and the planted faults are tried all the same.
#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "lab/chain.h"
#include "lab/files/worst_cases.h"
#include "lab/kernel/built_in_kernel.h"
#include "lab/kernel/kernel_report.h"
#include "lab/kernel/kernel_verify.h"

namespace touchstone::lab {
namespace {

// The reference, but for the first element of each output where the inputs are those of `spoilt`.
class SpoiltOn : public BuiltInKernel {
 public:
  SpoiltOn(const OpSpec& op, std::vector<FileCase> spoilt)
      : BuiltInKernel(op, op.implementations.front()), spoilt_(std::move(spoilt)) {}

  RunResult Run(const Case& c, const Tensors& inputs, const RunOptions& options) override {
    RunResult result = BuiltInKernel::Run(c, inputs, options);
    for (const FileCase& one : spoilt_) {
      if (DigestOf(c, inputs) != one.digest) continue;
      for (auto& [name, tensor] : result.outputs) tensor.SetReal(0, 1.0e30f);
    }
    return result;
  }

 private:
  std::vector<FileCase> spoilt_;
};

KernelReport Judged(const std::vector<FileCase>& spoilt, bool decoys) {
  const OpSpec& op = *FindOp("rmsnorm");
  KernelOptions options;
  options.kept = WorstCases(op);
  options.decoys = decoys;
  options.invariance = false;
  options.command = "./touchstone verify rmsnorm --kernel ./mine.so";
  SpoiltOn kernel(op, spoilt);
  return JudgeKernel(op, &kernel, options);
}

TEST(KeptCases, AreJudgedAndLeaveTheDecoysTheirs) {
  const std::vector<FileCase> kept = WorstCases(*FindOp("rmsnorm"));
  ASSERT_FALSE(kept.empty());
  const KernelReport report = Judged({}, true);
  EXPECT_EQ(report.verdict, Verdict::kBitExact);
  EXPECT_EQ(report.kept, static_cast<int64_t>(kept.size()));
  EXPECT_EQ(report.given, 0) << "no file was given";
  EXPECT_GT(report.decoys.size(), 10u) << report.decoys_untried;
  EXPECT_NE(KernelText(report, {}).find(" from golden/worst"), std::string::npos);
}

TEST(KeptCases, FailWithTheFileThatRepeatsThem) {
  const std::vector<FileCase> kept = WorstCases(*FindOp("rmsnorm"));
  const KernelReport report = Judged({kept.front()}, false);
  EXPECT_EQ(report.verdict, Verdict::kFailed);
  ASSERT_EQ(report.Count(Verdict::kFailed), 1);
  const auto one = std::find_if(report.cases.begin(), report.cases.end(),
                                [&](const CaseReport& r) { return report.Fails(r); });
  EXPECT_EQ(one->file, "golden/worst/rmsnorm/largest_ratio.h5");
  const std::string repeat =
      "./touchstone verify rmsnorm --kernel ./mine.so --inputs "
      "golden/worst/rmsnorm/largest_ratio.h5 --case " +
      one->name;
  EXPECT_EQ(report.RepeatOf(*one), repeat);
  EXPECT_NE(KernelText(report, {}).find(repeat), std::string::npos);
  const auto json = nlohmann::json::parse(KernelJson({report}));
  const auto& row = json["reports"][0];
  EXPECT_EQ(row["cases_kept"], kept.size());
  EXPECT_EQ(row["failures"][0]["repeat"], repeat);
  EXPECT_EQ(row["case_results"].back()["file"], one->file);
}

TEST(KeptCases, AreKnownInAFileAndAreNoSuite) {
  const OpSpec& op = *FindOp("combine");
  std::vector<FileCase> cases = WorstCases(op);
  ASSERT_GT(cases.size(), 1u);
  cases.push_back(GeneratedCase(CasesOf(op).front()));
  for (FileCase& one : cases) one.kept = false;
  NoteKept(op, &cases);
  EXPECT_FALSE(cases.back().kept);
  cases.pop_back();
  KernelOptions options;
  for (FileCase& one : cases) {
    EXPECT_TRUE(one.kept) << one.c.Name();
    one.file.clear();
  }
  options.given = cases;
  BuiltInKernel kernel(op, op.implementations.front());
  const KernelReport report = JudgeKernel(op, &kernel, options);
  EXPECT_EQ(report.verdict, Verdict::kBitExact);
  EXPECT_EQ(report.kept, std::ssize(cases));
  EXPECT_EQ(report.given, 0);
  EXPECT_EQ(report.decoys_untried, "they try a suite, not single cases");
}

}  // namespace
}  // namespace touchstone::lab
