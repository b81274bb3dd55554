// Plug-ins of every kind of conduct get the right word, and the lab outlives them all. The kernels
// are in tests/lab/kernels.
#include "lab/kernel/plugin_kernel.h"

#include <elf.h>
#include <errno.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmath>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <string>
#include <utility>
#include <vector>

#include "lab/chain.h"
#include "lab/input_class.h"
#include "lab/judge.h"
#include "lab/kernel/kernel_verify.h"
#include "lab/worker/protocol.h"
#include "tests/temporary_folder.h"

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define TOUCHSTONE_ADDRESS_SANITIZER
#endif
#endif

namespace touchstone::lab {
namespace {

const std::string kFolder = TOUCHSTONE_TEST_KERNELS "/";
const std::string kKernels = kFolder + "kernels.so";

const OpSpec& RmsNormSpec() { return *FindOp("rmsnorm"); }
Case SmallCase(const std::string& name = "f32/normal/C80_T3") {
  return CaseFromName(RmsNormSpec(), name);
}

KernelLimits Limits(double seconds = 20) {
  KernelLimits limits;
  limits.seconds = seconds;
  return limits;
}

RunResult RunOn(Kernel* kernel, const Case& c, const RunOptions& options = {}) {
  return kernel->Run(c, MakeTensors(c), options);
}

bool IsRight(const Case& c, const RunResult& result) {
  if (result.state != RunState::kDone || !result.breaches.empty()) return false;
  Tensors tensors = MakeTensors(c);
  const Expected expected = Enclose(c, tensors, AllPlaces(*c.op, exact::Place::kHull));
  for (const auto& [name, tensor] : result.outputs) tensors.at(name) = tensor;
  return CompareWithExpected(c, tensors, expected).Passed();
}

// Every test ends with this: no child is left, dead or alive.
void ExpectNoChild() {
  EXPECT_EQ(waitpid(-1, nullptr, WNOHANG), -1);
  EXPECT_EQ(errno, ECHILD);
}

// One run of kernels.so:touchstone_<name>, then the same again, which must say the same.
RunResult Conduct(const std::string& name, double seconds = 20, int64_t memory = 1 << 30) {
  RunResult result;
  {
    KernelLimits limits = Limits(seconds);
    limits.memory_bytes = memory;
    PluginKernel kernel(kKernels + ":touchstone_" + name, RmsNormSpec(), limits);
    result = RunOn(&kernel, SmallCase());
    const RunResult again = RunOn(&kernel, SmallCase());
    EXPECT_EQ(again.state, result.state) << name << ": " << again.what;
    EXPECT_EQ(again.breaches, result.breaches) << name;
  }
  ExpectNoChild();
  return result;
}

void ExpectSays(const std::string& text, const std::string& part) {
  EXPECT_NE(text.find(part), std::string::npos) << text;
}

void ExpectUnavailable(const std::string& plugin, const std::string& part,
                       const KernelLimits& limits = Limits()) {
  try {
    PluginKernel kernel(plugin, RmsNormSpec(), limits);
    ADD_FAILURE() << plugin << " was loaded";
  } catch (const KernelUnavailable& error) {
    ExpectSays(error.what(), part);
  }
  ExpectNoChild();
}

TEST(PluginKernel, ARightOneIsRightOnEveryCase) {
  for (const auto& [op, most] : {std::pair{"rmsnorm", 40}, std::pair{"kv_append", 40}}) {
    PluginKernel kernel(kKernels, *FindOp(op), Limits());
    EXPECT_EQ(kernel.info().op, op);
    EXPECT_EQ(kernel.info().recipes, FindOp(op)->recipes);
    int ran = 0;
    for (const Case& c : CasesOf(*FindOp(op))) {
      if (c.input_class == "specials" || c.input_class == "real" || ran++ >= most) continue;
      const RunResult result = RunOn(&kernel, c);
      const bool is_empty = result.state == RunState::kDone && result.breaches.empty() &&
                            c.size('T') == 0 && std::string(op) == "rmsnorm";
      EXPECT_TRUE(is_empty || IsRight(c, result)) << c.Name() << ": " << result.what;
    }
    EXPECT_GT(ran, 20);
  }
  ExpectNoChild();
}

TEST(PluginKernel, TheCallIsWhatTheHeaderPromises) {
  PluginKernel kernel(kKernels + ":touchstone_describes", RmsNormSpec(), Limits());
  EXPECT_EQ(kernel.info().name, "test describes");
  EXPECT_EQ(kernel.info().device, "cpu");
  RunOptions options;
  options.threads = 5;
  const RunResult result = RunOn(&kernel, SmallCase(), options);
  ASSERT_EQ(result.state, RunState::kDone) << result.what;
  const float* y = result.outputs.at("y").values<float>();
  const std::vector<float> wanted = {1, 1, 1, 1, 5, 211, 1, 23080, 801, 2321, 180, 1, 1, 1, 1};
  EXPECT_EQ(std::vector<float>(y, y + wanted.size()), wanted);
  EXPECT_TRUE(std::isnan(y[wanted.size()]));
}

TEST(PluginKernel, StrayWritesAreFoundAndNamed) {
  const std::pair<const char*, const char*> conducts[] = {
      {"after", "writes 8 bytes past the end of y, the first 0 bytes after it"},
      {"before", "writes 4 bytes before the beginning of y, the nearest 8 bytes before it"},
      {"changes", "changes 1 element of its input weight, the first is number 3"},
      {"overworks", "writes 1 byte past the end of the workspace, the first 0 bytes after it"},
      {"flushes", "leaves flush-to-zero switched on"},
      {"writes_everywhere", "writes to the lab's channel"}};
  for (const auto& [name, what] : conducts) {
    const RunResult result = Conduct(name);
    EXPECT_EQ(result.state, RunState::kFailed) << name;
    EXPECT_EQ(result.breaches, std::vector<std::string>{what}) << name;
    ExpectSays(result.what, what);
    EXPECT_TRUE(result.outputs.contains("y")) << name;
  }
}

// Neither what is written nor what is read can agree with both fillings of bands and workspace.
TEST(PluginKernel, TheBitsOfAGuardBandAreSeenInTheOtherRun) {
  const std::string past = "writes 4 bytes past the end of y, the first 0 bytes after it";
  const struct {
    const char* name;
    Poison unseen;
    std::string breach;
  } kernels[] = {{"ones_after", Poison::kNan, past},
                 {"large_after", Poison::kFinite, past},
                 {"ignores_nan", Poison::kNan, ""},
                 {"trusts_workspace", Poison::kNan, ""}};
  for (const auto& [name, unseen, breach] : kernels) {
    PluginKernel kernel(kKernels + ":touchstone_" + name, RmsNormSpec(), Limits());
    for (const Poison poison : {Poison::kNan, Poison::kFinite, Poison::kNan}) {
      const RunResult result = RunOn(&kernel, SmallCase(), {.poison = poison});
      EXPECT_EQ(IsRight(SmallCase(), result), poison == unseen) << name << ": " << result.what;
      if (poison != unseen && !breach.empty()) {
        EXPECT_EQ(result.what, breach) << name;
      }
    }
    KernelOptions options;
    options.smallest = true;
    options.decoys = false;
    const KernelReport report = JudgeKernel(RmsNormSpec(), &kernel, options);
    EXPECT_EQ(report.verdict, Verdict::kFailed) << name;
  }
  ExpectNoChild();
}

TEST(PluginKernel, OneStrayWriteIsBlamedOnOneRun) {
  PluginKernel kernel(kKernels + ":touchstone_after_once", RmsNormSpec(), Limits());
  EXPECT_EQ(RunOn(&kernel, SmallCase()).breaches.size(), 1u);
  for (int i = 0; i < 2; ++i) EXPECT_TRUE(IsRight(SmallCase(), RunOn(&kernel, SmallCase())));
}

TEST(PluginKernel, AnUnwrittenElementKeepsThePoison) {
  PluginKernel kernel(kKernels + ":touchstone_unwritten", RmsNormSpec(), Limits());
  RunOptions options;
  uint32_t bits[2];
  for (const Poison poison : {Poison::kNan, Poison::kFinite}) {
    options.poison = poison;
    const RunResult result = RunOn(&kernel, SmallCase(), options);
    ASSERT_EQ(result.state, RunState::kDone);
    std::memcpy(&bits[poison == Poison::kFinite], &result.outputs.at("y").data[8], 4);
  }
  EXPECT_EQ(bits[0], 0xffffffffu);
  EXPECT_EQ(bits[1], 0x5a5a5a5au);
}

TEST(PluginKernel, OneThatRemembersByAddressIsCaught) {
  PluginKernel kernel(kKernels + ":touchstone_remembers", RmsNormSpec(), Limits());
  EXPECT_TRUE(IsRight(SmallCase(), RunOn(&kernel, SmallCase())));
  Case other = SmallCase();
  other.seed = 7;
  const RunResult result = RunOn(&kernel, other);
  EXPECT_EQ(result.state, RunState::kDone);
  EXPECT_FALSE(IsRight(other, result));
}

TEST(PluginKernel, WorkspaceIsAsPromised) {
  EXPECT_TRUE(IsRight(SmallCase(), Conduct("works")));
  const RunResult greedy = Conduct("greedy");
  EXPECT_EQ(greedy.state, RunState::kFailed);
  ExpectSays(greedy.what, "asks for a workspace of 18446744073709551515 bytes");
}

TEST(PluginKernel, EndsOfTheProcessAreCrashes) {
  const std::pair<const char*, const char*> conducts[] = {
      {"exits", "calls exit(0)"},
      {"exits_at_once", "calls exit(3)"},
      {"ends_thread", "calls exit(0)"},
      {"aborts", "signal 6, abort; it printed: about to abort"},
      {"segfaults", "signal 11, segmentation fault"},
      {"far_away", "signal 7, bus error"},
      {"overflows", "signal 11, segmentation fault"}};
  for (const auto& [name, what] : conducts) {
    const RunResult result = Conduct(name);
    EXPECT_EQ(result.state, RunState::kCrashed) << name;
    EXPECT_EQ(result.what, what) << name;
    EXPECT_TRUE(result.outputs.empty());
  }
}

TEST(PluginKernel, WhatDoesNotReturnIsStopped) {
  for (const char* name : {"loops", "clings"}) {
    const RunResult result = Conduct(name, 0.5);
    EXPECT_EQ(result.state, RunState::kTimedOut) << name;
    EXPECT_EQ(result.what, "does not return within 0.5 seconds");
    EXPECT_GT(result.seconds, 0.4);
    EXPECT_LT(result.seconds, 5.0);
  }
}

TEST(PluginKernel, ThreadsAndChildrenDoNotOutliveTheKernel) {
  EXPECT_TRUE(IsRight(SmallCase(), Conduct("leaves_thread")));
  {
    PluginKernel kernel(kKernels + ":touchstone_child_returns", RmsNormSpec(), Limits());
    for (int i = 0; i < 20; ++i) {
      const RunResult result = RunOn(&kernel, SmallCase());
      EXPECT_EQ(result.state, RunState::kFailed);
      ExpectSays(result.what, "leaves a process behind");
    }
  }
  const RunResult waited = Conduct("waits_for_child");
  EXPECT_TRUE(IsRight(SmallCase(), waited)) << waited.what;
  const RunResult result = Conduct("leaves_grandchild");
  EXPECT_EQ(result.state, RunState::kFailed);
  ASSERT_FALSE(result.breaches.empty());
  ExpectSays(result.breaches.front(), "leaves a process behind");
  const size_t number = result.what.find("grandchild ");
  ASSERT_NE(number, std::string::npos) << result.what;
  const pid_t grandchild = std::stoi(result.what.substr(number + 11));
  EXPECT_EQ(kill(grandchild, 0), -1);
  EXPECT_EQ(errno, ESRCH);
}

// It is no child of the worker's, which cannot see it; but one of the keeper's, which kills it.
TEST(PluginKernel, AChildOfTheKeeperGoesWithTheWorker) {
  pid_t sibling = 0;
  {
    PluginKernel kernel(kKernels + ":touchstone_leaves_sibling", RmsNormSpec(), Limits());
    const RunResult result = RunOn(&kernel, SmallCase());
    EXPECT_EQ(result.state, RunState::kFailed);
    EXPECT_TRUE(result.breaches.empty());
    const size_t number = result.what.find("sibling ");
    ASSERT_NE(number, std::string::npos) << result.what;
    sibling = std::stoi(result.what.substr(number + 8));
    EXPECT_GT(sibling, 0);
    EXPECT_EQ(kill(sibling, 0), 0);
    RunOn(&kernel, SmallCase());
    EXPECT_EQ(kill(sibling, 0), 0) << "the same worker goes on beside it";
  }
  EXPECT_EQ(kill(sibling, 0), -1);
  EXPECT_EQ(errno, ESRCH);
  ExpectNoChild();
}

TEST(PluginKernel, FailuresSayWhatWasPrinted) {
  const RunResult seven = Conduct("seven");
  EXPECT_EQ(seven.state, RunState::kFailed);
  ExpectSays(seven.what, "returns 7; it printed: ");
  ExpectSays(seven.what, "first line | no \\x1b[31m luck");
  const RunResult much = Conduct("prints_much");
  EXPECT_EQ(much.state, RunState::kFailed);
  ExpectSays(much.what, "returns 9");
  ExpectSays(much.what, "the last line");
  EXPECT_LT(much.what.size(), 300u);
  const RunResult closes = Conduct("closes_everything");
  EXPECT_EQ(closes.state, RunState::kFailed);
  ExpectSays(closes.what, "closes the lab's channel");
}

TEST(PluginKernel, ExceptionsAreFailures) {
  PluginKernel kernel(kFolder + "throws.so", RmsNormSpec(), Limits());
  RunOptions options;
  EXPECT_EQ(RunOn(&kernel, SmallCase(), options).what, "throws: no such tile");
  options.threads = 2;
  const RunResult other = RunOn(&kernel, SmallCase(), options);
  EXPECT_EQ(other.what, "throws an exception");
  EXPECT_EQ(other.state, RunState::kFailed);
}

TEST(PluginKernel, MemoryIsLimited) {
#if defined(TOUCHSTONE_ADDRESS_SANITIZER)
  GTEST_SKIP() << "NOT RUN: the address sanitizer cannot run under a limit of memory";
#endif
  const RunResult result = Conduct("allocates");
  EXPECT_EQ(result.state, RunState::kFailed);
  ExpectSays(result.what, "returns 12");  // ENOMEM
}

TEST(PluginKernel, OneThatRefusesIsLeftOut) {
  EXPECT_EQ(Conduct("refuses").state, RunState::kRefused);
}

TEST(PluginKernel, ACrashDoesNotReachTheNextRun) {
  PluginKernel crashing(kKernels + ":touchstone_segfaults", RmsNormSpec(), Limits());
  PluginKernel right(kKernels, RmsNormSpec(), Limits());
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(RunOn(&crashing, SmallCase()).state, RunState::kCrashed);
    EXPECT_TRUE(IsRight(SmallCase(), RunOn(&right, SmallCase())));
  }
}

TEST(PluginKernel, ConstantsThatDoNotFitAreNamed) {
  const std::pair<const char*, const char*> wrong[] = {
      {"other_abi", "version 7 of the plug-in interface; this program has version 1"},
      {"other_size", "has 48 bytes; in version 1 it has 56"},
      {"other_op", "computes linear, not rmsnorm"},
      {"no_run", "`run` is null"},
      {"no_recipe", "none of the recipes of rmsnorm (f32, bf16)"},
      {"other_processor", "needs what this processor lacks: 'warp\\x07', drive"},
      {"no_such_cuda", "computes on a CUDA device: "},  // whether there is one here or not
      {"other_device", "device 9"},
      {"no_name", "the `name` of touchstone_no_name is no text"},
      {"function", "touchstone_function is no touchstone_kernel, but a function"},
      {"number", "touchstone_number is no touchstone_kernel, but smaller than a kernel"},
      {"nobody", "exports no symbol touchstone_nobody; it has touchstone_aborts, "}};
  for (const auto& [name, what] : wrong) {
    ExpectUnavailable(kKernels + ":touchstone_" + name, what);
  }
  PluginKernel one(kKernels + ":touchstone_one_recipe", RmsNormSpec(), Limits());
  EXPECT_EQ(one.info().recipes, std::vector<Dtype>{Dtype::kBf16});
  PluginKernel coloured(kKernels + ":touchstone_coloured", RmsNormSpec(), Limits());
  EXPECT_EQ(coloured.info().name, "red \x1b[31m") << "as it came, for JSON";
}

TEST(PluginKernel, LoadingThatFailsIsNoVerdictOfAKernel) {
  try {
    PluginKernel kernel(kFolder + "crashes_on_load.so", RmsNormSpec(), Limits());
    ADD_FAILURE();
  } catch (const KernelCrashed& error) {
    EXPECT_EQ(error.state, RunState::kCrashed);
    ExpectSays(error.what(), "crashes while it is loaded: signal 6, abort; it printed: no licence");
  }
  try {
    PluginKernel kernel(kFolder + "hangs_on_load.so", RmsNormSpec(), Limits(0.5));
    ADD_FAILURE();
  } catch (const KernelCrashed& error) {
    EXPECT_EQ(error.state, RunState::kTimedOut);
    ExpectSays(error.what(), "has not been loaded after 0.5 seconds");
  }
  ExpectNoChild();
}

TEST(PluginKernel, FilesThatAreNoLibraryForThisMachineAreNamed) {
  const TemporaryFolder folder;
  ExpectUnavailable(folder.File("none.so"), "no such file");
  ExpectUnavailable(folder.Write("text.so", "int run(void);\n"), "no shared library");
  ExpectUnavailable(folder.Write("empty.so", ""), "no shared library");
  ExpectUnavailable(folder.path().string(), "not a regular file");
  ASSERT_EQ(mkfifo(folder.File("pipe.so").c_str(), 0600), 0);
  ExpectUnavailable(folder.File("pipe.so"), "not a regular file");

  Elf64_Ehdr head = {};
  std::memcpy(head.e_ident, ELFMAG, SELFMAG);
  head.e_ident[EI_CLASS] = ELFCLASS64;
  head.e_ident[EI_DATA] = ELFDATA2LSB;
  head.e_type = ET_DYN;
  const auto write = [&] {
    return folder.Write("made.so", {reinterpret_cast<const char*>(&head), sizeof head});
  };
  head.e_machine = EM_S390;
  ExpectUnavailable(write(), "built for S/390; this program runs on ");
#if defined(__x86_64__)
  head.e_machine = EM_AARCH64;
  ExpectUnavailable(write(), "built for AArch64; this program runs on x86-64");
  head.e_machine = EM_386;
  head.e_ident[EI_CLASS] = ELFCLASS32;
  ExpectUnavailable(write(), "built for 32-bit x86, in a 32-bit file");
  head.e_machine = EM_X86_64;
  head.e_ident[EI_CLASS] = ELFCLASS64;
  ExpectUnavailable(write(), "cannot be loaded");  // a header and nothing else
  head.e_type = ET_REL;
  ExpectUnavailable(write(), "an object file");
#endif

  std::ifstream whole(kKernels, std::ios::binary);
  const std::string bytes{std::istreambuf_iterator<char>(whole), {}};
  ASSERT_GT(bytes.size(), 8192u);
  ExpectUnavailable(folder.Write("half.so", bytes.substr(0, 8192)),
                    "a cut-off library: 8192 bytes");
}

TEST(PluginKernel, AMissingWorkerIsSaid) {
  KernelLimits limits;
  limits.worker = kFolder + "no_worker_here";
  ExpectUnavailable(kKernels, "there is no ", limits);
  ExpectUnavailable(kKernels, "no_worker_here (it is built together with touchstone)", limits);
  limits.worker = kFolder;
  ExpectUnavailable(kKernels, "cannot start the process of a kernel", limits);
}

// LD_LIBRARY_PATH while this lives.
class PretendedCuda {
 public:
  PretendedCuda() { setenv("LD_LIBRARY_PATH", (kFolder + "cuda").c_str(), 1); }
  ~PretendedCuda() { unsetenv("LD_LIBRARY_PATH"); }
};

TEST(PluginKernel, OnADeviceTheSameIsChecked) {
  const PretendedCuda cuda;
  {
    PluginKernel kernel(kKernels + ":touchstone_on_cuda", RmsNormSpec(), Limits());
    EXPECT_EQ(kernel.info().device, "cuda");
    for (const char* name : {"f32/normal/C80_T3", "bf16/normal/C5120_T1", "f32/normal/C1_T1"}) {
      const RunResult run = RunOn(&kernel, SmallCase(name));
      EXPECT_TRUE(IsRight(SmallCase(name), run)) << name;
      EXPECT_EQ(run.seconds, 1000.0) << "by the device's events";
    }
  }
  EXPECT_EQ(Conduct("after_on_cuda").what,
            "writes 4 bytes before the beginning of y, the nearest 0 bytes before it");
  {
    PluginKernel kernel(kKernels + ":touchstone_ones_after_on_cuda", RmsNormSpec(), Limits());
    EXPECT_TRUE(IsRight(SmallCase(), RunOn(&kernel, SmallCase())));
    EXPECT_EQ(RunOn(&kernel, SmallCase(), {.poison = Poison::kFinite}).what,
              "writes 4 bytes past the end of y, the first 0 bytes after it");
  }
  const RunResult fails = Conduct("fails_on_cuda");
  EXPECT_EQ(fails.state, RunState::kCrashed);
  EXPECT_EQ(fails.what, "after run: CUDA error 700, pretended");
  ExpectUnavailable(kKernels + ":touchstone_old_on_cuda",
                    "it has code for sm_80; the device here is sm_90");
}

TEST(PluginKernel, EveryOpFitsAMessage) {
  for (const OpSpec* op : AllOps()) {
    EXPECT_LE(op->arguments.size(), size_t{kMostTensors}) << op->name;
    EXPECT_LE(op->attributes.size(), size_t{kMostAttributes}) << op->name;
    EXPECT_LT(op->name.size(), kNameBytes);
    for (const Argument& argument : op->arguments) {
      EXPECT_LE(argument.dims.size(), size_t{kMostAxes}) << op->name << " " << argument.name;
    }
  }
}

}  // namespace
}  // namespace touchstone::lab
