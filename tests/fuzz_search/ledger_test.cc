// A search that was stopped or killed leaves sound files and continues where it was.
#include "fuzz/search/ledger.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <thread>

#include "fuzz/search/fuzz_run.h"
#include "golden/bad_file.h"
#include "lab/errors.h"
#include "lab/files/case_file.h"
#include "tests/fuzz_search/planted_kernel.h"
#include "tests/temporary_folder.h"

namespace touchstone::fuzz {
namespace {

FuzzOptions Options(const TemporaryFolder& folder, uint64_t trials) {
  FuzzOptions options;
  options.searched = {.op = "residual_add", .kernel = "", .exact = false, .seed = 7};
  options.limits = {.trials = trials, .seconds = 60.0};
  options.folder = folder.File("out");
  return options;
}

int RunPlanted(const FuzzOptions& options, const PlantedKernel::Fault& fault,
               std::string* said = nullptr) {
  FuzzEvents events;
  if (said != nullptr) events.say = [said](const std::string& lines) { *said += lines; };
  return RunFuzz(*lab::FindOp("residual_add"), options, Planted("residual_add", fault), events);
}

void NoFault(const lab::Case&, const lab::Tensors&, lab::RunResult*) {}

Ledger LedgerIn(const FuzzOptions& options) {
  return ReadLedger(LedgerFile(options.folder, "residual_add")).value();
}

TEST(Ledger, ResumesWhereTheSearchStopped) {
  const TemporaryFolder folder;
  FuzzOptions options = Options(folder, 40);
  EXPECT_EQ(RunPlanted(options, NoFault), lab::kPassed);
  EXPECT_EQ(LedgerIn(options).next, 40u);
  options.resume = true;
  std::string said;
  EXPECT_EQ(RunPlanted(options, NoFault, &said), lab::kPassed);
  EXPECT_EQ(LedgerIn(options).next, 80u);
  EXPECT_NE(said.find("resumed: seed 7, trial 40"), std::string::npos) << said;
  EXPECT_NE(said.find("trials 40 to 79"), std::string::npos) << said;
}

TEST(Ledger, TwoHalvesFindWhatOneSearchFinds) {
  const TemporaryFolder whole_folder, halves_folder;
  const auto rare = [](const lab::Case& c, const lab::Tensors& inputs, lab::RunResult* result) {
    if (c.size('T') > 8) OneElementWrong(c, inputs, result);
  };
  const FuzzOptions whole = Options(whole_folder, 3000);
  EXPECT_EQ(RunPlanted(whole, rare), lab::kFailed);
  const uint64_t trial = LedgerIn(whole).failures.at(0).trial;
  ASSERT_GT(trial, 1u);
  FuzzOptions halves = Options(halves_folder, trial / 2);
  EXPECT_EQ(RunPlanted(halves, rare), lab::kPassed);
  halves.resume = true;
  halves.limits.trials = 3000;
  EXPECT_EQ(RunPlanted(halves, rare), lab::kFailed);
  EXPECT_EQ(LedgerIn(halves).failures.at(0).trial, trial);
  EXPECT_EQ(LedgerIn(halves).next, trial + 1);
}

TEST(Ledger, RemembersFailuresAndSaysSo) {
  const TemporaryFolder folder;
  FuzzOptions options = Options(folder, 3000);
  EXPECT_EQ(RunPlanted(options, OneElementWrong), lab::kFailed);
  options.resume = true;
  options.limits.trials = 5;
  std::string said;
  EXPECT_EQ(RunPlanted(options, NoFault, &said), lab::kFailed);
  EXPECT_NE(said.find("found before"), std::string::npos) << said;
}

TEST(Ledger, AnotherSeedOrKernelIsNoticed) {
  const TemporaryFolder folder;
  FuzzOptions options = Options(folder, 10);
  EXPECT_EQ(RunPlanted(options, NoFault), lab::kPassed);
  options.resume = options.seed_given = true;
  options.searched.seed = 8;
  EXPECT_THROW(RunPlanted(options, NoFault), lab::UsageError);
  options.searched.seed = 7;
  options.searched.exact = true;
  std::string said;
  EXPECT_EQ(RunPlanted(options, NoFault, &said), lab::kPassed);
  EXPECT_NE(said.find("is not the one"), std::string::npos) << said;
}

TEST(Ledger, RefusesWhatIsNone) {
  const TemporaryFolder folder;
  FuzzOptions options = Options(folder, 10);
  options.resume = true;
  EXPECT_THROW(RunPlanted(options, NoFault), lab::UsageError);  // there is none
  options.resume = false;
  EXPECT_EQ(RunPlanted(options, NoFault), lab::kPassed);
  options.resume = true;
  const std::string path = LedgerFile(options.folder, "residual_add");
  for (const std::string text : {"", "{", "[]", "{\"format\": 1}", "{\"format\": -1}", "\xff"}) {
    folder.Write("out/residual_add.ledger.json", text);
    EXPECT_THROW(ReadLedger(path), golden::BadFile) << text;
  }
}

TEST(Ledger, NothingComparedIsNotRun) {
  const TemporaryFolder folder;
  const auto refuse = [](const lab::Case&, const lab::Tensors&, lab::RunResult* result) {
    *result = {.state = lab::RunState::kRefused};
  };
  EXPECT_EQ(RunPlanted(Options(folder, 10), refuse), lab::kNotRun);
}

TEST(Ledger, ACrashIsExitCodeFive) {
  const TemporaryFolder folder;
  EXPECT_EQ(RunPlanted(Options(folder, 3000), CrashAtThree), lab::kCrashed);
}

TEST(Ledger, TheSmallestCaseIsAFileOfCases) {
  const TemporaryFolder folder;
  const FuzzOptions options = Options(folder, 3000);
  EXPECT_EQ(RunPlanted(options, OneElementWrong), lab::kFailed);
  const std::string report = LedgerIn(options).failures.at(0).report;
  const std::string stem = options.folder + "/" + report.substr(0, report.size() - 4);
  const std::vector<lab::FileCase> cases = lab::ReadCases(stem + ".h5");
  ASSERT_EQ(cases.size(), 1u);
  EXPECT_EQ(cases[0].c.size('C'), 5);
  EXPECT_TRUE(cases[0].given);
}

// Killed after a while that grows, the last time while a failure is made small.
TEST(Ledger, AKilledSearchLeavesSoundFiles) {
  for (const int milliseconds : {30, 400}) {
    const TemporaryFolder folder;
    FuzzOptions options = Options(folder, 0);
    options.keep_going = true;
    const pid_t child = fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      RunPlanted(options, OneElementWrong);
      _exit(0);
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(milliseconds));
    kill(child, SIGKILL);
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    const std::string path = LedgerFile(options.folder, "residual_add");
    const std::optional<Ledger> ledger = ReadLedger(path);
    if (!ledger) continue;  // killed before the first was written
    for (const LedgerFailure& failure : ledger->failures) {
      const std::string file = options.folder + "/" + failure.report;
      EXPECT_TRUE(std::filesystem::exists(file)) << file;
      EXPECT_EQ(lab::ReadCases(file.substr(0, file.size() - 4) + ".h5").size(), 1u);
    }
    options.resume = true;
    options.limits.trials = 5;
    EXPECT_EQ(RunPlanted(options, NoFault), ledger->failures.empty() ? lab::kPassed : lab::kFailed);
    EXPECT_EQ(LedgerIn(options).next, ledger->next + 5);
  }
}

}  // namespace
}  // namespace touchstone::fuzz
