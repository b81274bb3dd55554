// The cases that are kept: all can be read, and the reference, the second reference and whatever is
// built in agree on them.
#include "lab/files/worst_cases.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "fuzz/search/trial_judge.h"
#include "lab/repository.h"

namespace touchstone::fuzz {
namespace {

constexpr uintmax_t kMostBytes = 60000;  // of all files

TEST(WorstCases, PassTheBuiltInImplementations) {
  int64_t cases = 0, compared = 0;
  for (const lab::OpSpec* op : lab::AllOps()) {
    for (const lab::FileCase& kept : lab::WorstCases(*op)) {
      const Trial trial{.c = kept.c, .tensors = lab::TensorsOf(kept), .given = true};
      const Judgement judgement = TrialJudge().Judge(trial);
      EXPECT_EQ(judgement.outcome, Outcome::kPassed)
          << op->name << " " << Describe(trial) << ": " << judgement.Kind() << " "
          << judgement.difference.got << " " << judgement.difference.wanted << judgement.what;
      compared += judgement.compared + judgement.undecidable;
      ++cases;
    }
  }
  EXPECT_GT(cases, 0);
  EXPECT_GT(compared, 0);
}

TEST(WorstCases, AreSmallAndBelongToAnOp) {
  uintmax_t bytes = 0;
  for (const auto& entry :
       std::filesystem::recursive_directory_iterator(lab::RepositoryRoot() + "/golden/worst")) {
    if (entry.is_regular_file()) {
      bytes += entry.file_size();
      EXPECT_EQ(entry.path().extension(), ".h5") << entry.path();
    } else {
      EXPECT_NE(lab::FindOp(entry.path().filename().string()), nullptr) << entry.path();
    }
  }
  EXPECT_GT(bytes, 0u);
  EXPECT_LE(bytes, kMostBytes);
}

}  // namespace
}  // namespace touchstone::fuzz
