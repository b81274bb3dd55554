// The pieces that a CUDA source passes through before it is judged: the line that names its launch,
// and the run of a compiler. tests/lab/cuda_source_test.py has the whole way.
#include "lab/files/cuda_source.h"

#include <gtest/gtest.h>
#include <sys/wait.h>

#include <cerrno>
#include <chrono>
#include <fstream>
#include <string>

#include "lab/kernel/compiler_run.h"
#include "lab/kernel/kernel.h"

namespace touchstone::lab {
namespace {

// A launch may only name a kernel that the file speaks of.
constexpr const char* kKernel = "\n__global__ void Kernel(...);\n";

TEST(CudaSource, TheExampleOfEveryOpIsALaunchOfIt) {
  for (const OpSpec* op : AllOps()) {
    const CudaLaunch launch = LaunchIn(ExampleLaunch(*op) + kKernel, "mine.cu", *op);
    EXPECT_EQ(launch.kernel, "Kernel<Storage>");
    EXPECT_EQ(launch.block, "256");
    EXPECT_EQ(launch.shared, "0");
    EXPECT_GE(launch.arguments.size(), op->arguments.size() + op->attributes.size()) << op->name;
  }
}

TEST(CudaSource, ALaunchIsReadInItsParts) {
  const std::string text =
      "namespace a { constexpr int kRows = 4; void K(); }\r\n"
      "  //touchstone:  a::K<Storage, kRows><<< dim3(T / kRows, 2) , 32 * kRows, C*4 >>> "
      "( x,weight , eps, (T+1)*C, y ) ;\r\n";
  const CudaLaunch launch = LaunchIn(text, "mine.cu", *FindOp("rmsnorm"));
  EXPECT_EQ(launch.kernel, "a::K<Storage, kRows>");
  EXPECT_EQ(launch.grid, "dim3(T / kRows, 2)");
  EXPECT_EQ(launch.block, "32 * kRows");
  EXPECT_EQ(launch.shared, "C*4");
  EXPECT_EQ(launch.arguments, (std::vector<std::string>{"x", "weight", "eps", "(T+1)*C", "y"}));
}

TEST(CudaSource, ALaunchMayGoOnOverLinesOfItsComment) {
  const OpSpec& op = *FindOp("rmsnorm");
  const auto arguments = [&](const std::string& text) {
    return LaunchIn(text + kKernel, "mine.cu", op).arguments;
  };
  const std::vector<std::string> all = {"x", "weight", "eps", "C", "y"};
  const std::string begin = "// touchstone: Kernel<<<T, 256>>>";
  EXPECT_EQ(arguments(begin + "\n//   (x, weight,\n  // eps,\n// C, y)\n// (not more)\n"), all);
  EXPECT_EQ(arguments(begin + "(x, weight, eps, C, y)\n// (one thread 'a row')\n"), all);
  EXPECT_THROW(arguments(begin + "\n// what it does: (x, weight, eps, C, y)\n"), KernelUnavailable);
  EXPECT_THROW(arguments(begin + "(x, weight,\n\n// eps, C, y)\n"), KernelUnavailable);
}

TEST(CudaSource, AttributesHaveTheTypesThatTheReferenceTakes) {
  const auto caller = [](const std::string& op) {
    const OpSpec& spec = *FindOp(op);
    return CallerOf(LaunchIn(ExampleLaunch(spec) + kKernel, "mine.cu", spec), spec,
                    CudaCompiler::kExecutionModel);
  };
  const auto has = [](const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
  };
  EXPECT_TRUE(has(caller("rmsnorm"), "const float eps = static_cast<float>("));
  EXPECT_TRUE(has(caller("attention"), "const int64_t chunk = "));
  EXPECT_TRUE(has(caller("kv_append"), "const int64_t first = "));
  EXPECT_TRUE(has(caller("temperature"), "const float attn_scale = "));
  EXPECT_TRUE(has(caller("rope_frequencies"), "const int64_t llama3 = "));
  EXPECT_TRUE(has(caller("sampling"), "const double temperature = "));
  EXPECT_TRUE(has(caller("attention"), "const int64_t* const positions = "));
  EXPECT_TRUE(has(caller("rope"), "const float* const table = "));
}

TEST(CompilerRun, WhatItMakesOutlivesItsFolder) {
  CompilerCall call;
  call.words = {"cp", "given", "made"};
  call.files = {{"given", "some bytes"}};
  call.result = "made";
  const Compiled compiled = RunCompiler(call);
  ASSERT_TRUE(compiled.done) << compiled.said;
  std::ifstream made(compiled.result.path());
  std::string text;
  std::getline(made, text);
  EXPECT_EQ(text, "some bytes");
}

TEST(CompilerRun, OneThatIsNotThereIsSaid) {
  CompilerCall call;
  call.words = {"no_such_compiler_anywhere", "-c"};
  call.result = "made";
  EXPECT_FALSE(RunCompiler(call).found);
}

TEST(CompilerRun, AFailureBringsWhatWasSaid) {
  CompilerCall call;
  call.words = {"cat", "not_there"};
  call.result = "made";
  const Compiled compiled = RunCompiler(call);
  EXPECT_TRUE(compiled.found);
  EXPECT_FALSE(compiled.done);
  EXPECT_NE(compiled.said.find("not_there: No such file"), std::string::npos) << compiled.said;
}

TEST(CompilerRun, OneThatDoesNotEndIsStopped) {
  CompilerCall call;
  call.words = {"sleep", "60"};
  call.result = "made";
  call.seconds = 0.2;
  const auto begin = std::chrono::steady_clock::now();
  const Compiled compiled = RunCompiler(call);
  EXPECT_FALSE(compiled.done);
  EXPECT_EQ(compiled.why, "has not ended after 0.2 s");
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(10));
  EXPECT_EQ(waitpid(-1, nullptr, WNOHANG), -1);
  EXPECT_EQ(errno, ECHILD);
}

TEST(CompilerRun, TheFirstErrorsAreOneLine) {
  EXPECT_EQ(FirstErrors("In file included from call.cc:9:\n"
                        "error.cu: In function 'f':\n"
                        "error.cu:3:1: error: one\n    3 | x\n      | ^\n"
                        "error.cu:4:1: error: two\nerror.cu:5:1: fatal error: three\n"
                        "error.cu:6:1: error: four\n"),
            "error.cu:3:1: error: one | error.cu:4:1: error: two | "
            "error.cu:5:1: fatal error: three");
  EXPECT_EQ(FirstErrors("k.cu(7): error: identifier \"j\" is undefined\n"),
            "k.cu(7): error: identifier \"j\" is undefined");
  EXPECT_EQ(FirstErrors("\nsomething else\n"), "something else");
  EXPECT_EQ(FirstErrors(""), "");
}

}  // namespace
}  // namespace touchstone::lab
