// The program that shows a failure: short, compiles without a warning, and says what is wrong.
#include "fuzz/search/standalone_program.h"

#include <gtest/gtest.h>
#include <sys/wait.h>

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <sstream>

#include "fuzz/search/search.h"
#include "fuzz/search/shrink.h"
#include "lab/repository.h"
#include "tests/fuzz_search/planted_kernel.h"
#include "tests/temporary_folder.h"

namespace touchstone::fuzz {
namespace {

// The same fault as OneElementWrong, or none, as a library of a stranger.
constexpr char kPlugin[] = R"(#include "touchstone.h"
static int run(const touchstone_call* call) {
  const touchstone_tensor *a = call->inputs, *b = call->inputs + 1, *y = call->outputs;
  const long n = a->shape[0] * a->shape[1];
  for (long i = 0; i < n; ++i) {
    ((float*)y->data)[i] = ((const float*)a->data)[i] + ((const float*)b->data)[i];
  }
  if (WRONG && a->shape[1] % 16 == 5) ((float*)y->data)[n - 1] += 1;
  return 0;
}
TOUCHSTONE_KERNEL(residual_add) = {TOUCHSTONE_ABI, sizeof(touchstone_kernel), "c", "residual_add",
                                   TOUCHSTONE_F32, TOUCHSTONE_CPU, 0, 0, run};
)";

// The exit code.
int Shell(const std::string& command) {
  const int status = std::system(command.c_str());
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

// Lines but for includes, comments and empty ones, the data of a tensor, and those that load the
// kernel.
int OwnLines(const std::string& source) {
  std::istringstream lines(source);
  int own = 0;
  for (std::string line; std::getline(lines, line);) {
    const bool loads = line.find("dl") != std::string::npos;
    const bool data = line.starts_with("alignas");
    own += line.empty() || line[0] == '#' || line.starts_with("//") || loads || data ? 0 : 1;
  }
  return own;
}

std::string Compiler() { return TOUCHSTONE_CXX; }

std::string Include() { return " -I '" + lab::RepositoryRoot() + "/lab/include' "; }

class StandaloneProgramOf : public testing::TestWithParam<bool> {};

TEST_P(StandaloneProgramOf, CompilesAndShowsTheFailure) {
  const bool exact = GetParam();
  Search search(*lab::FindOp("residual_add"), 7, Planted("residual_add", OneElementWrong), exact,
                {.trials = 3000});
  const auto found = search.Run([] { return false; }, [] {});
  ASSERT_TRUE(found);
  const Shrunk small =
      Shrink(search.generator(), *search.judge(), found->trial, found->judgement, {});
  const std::string source = StandaloneProgram(small.trial, small.judgement, exact, "");
  EXPECT_LT(OwnLines(source), 20) << source;

  const TemporaryFolder folder;
  folder.Write("plugin.cc", kPlugin);
  folder.Write("shown.cc", source);
  const std::string at = "cd '" + folder.path().string() + "' && ";
  for (const std::string wrong : {"0", "1"}) {
    ASSERT_EQ(Shell(at + Compiler() + " -shared -fPIC -DWRONG=" + wrong + Include() +
                    "plugin.cc -o plugin" + wrong + ".so"),
              0);
  }
  ASSERT_EQ(Shell(at + Compiler() + " -std=c++17 -Wall -Wextra -Werror" + Include() +
                  "shown.cc -ldl -o shown"),
            0)
      << source;
  EXPECT_EQ(Shell(at + "./shown ./plugin1.so >wrong.txt"), 1);
  EXPECT_EQ(Shell(at + "./shown ./plugin0.so >right.txt"), 0);
  EXPECT_EQ(Shell(at + "./shown ./none.so >none.txt"), 3);
  std::ifstream file(folder.File("wrong.txt"));
  const std::string said{std::istreambuf_iterator<char>(file), {}};
  EXPECT_NE(said.find("y t=0 c=4: got 0x1p+0"), std::string::npos) << said;
}

INSTANTIATE_TEST_SUITE_P(Contracts, StandaloneProgramOf, testing::Bool());

// Every op and chain: integers, caches, attributes, hidden sizes, both recipes.
TEST(StandaloneProgram, IsShortAndCompilesForEveryOp) {
  const TemporaryFolder folder;
  int number = 0;
  for (const lab::OpSpec* op : lab::AllOps()) {
    const lab::Case c = lab::CasesOf(*op).front();
    const Trial trial = Generator::OfClass(c, lab::Poison::kNan);
    Judgement judgement{.outcome = Outcome::kOutside, .who = "k", .output = {}};
    for (const lab::Argument& argument : op->arguments) {
      if (argument.role != lab::Role::kIn) judgement.output = argument.name;
    }
    judgement.difference.tensor = judgement.output;
    for (const bool exact : {false, true}) {
      const std::string source = StandaloneProgram(trial, judgement, exact, "");
      ASSERT_FALSE(source.empty()) << op->name;
      EXPECT_LT(OwnLines(source), 14) << op->name;
      // One compiler run for all: each main becomes a namespace's own.
      const std::string main = "int main(";
      const size_t begin = source.find("alignas");
      std::string body = source.substr(begin);
      body.replace(body.find(main), main.size(), "[[maybe_unused]] int Main(");
      std::ofstream(folder.File("all.cc"), std::ios::app)
          << (number == 0 ? source.substr(0, begin) : "") << "namespace n" << number << " {\n"
          << body << "}\n";
      ++number;
    }
  }
  EXPECT_EQ(Shell("cd '" + folder.path().string() + "' && " + Compiler() +
                  " -std=c++17 -fsyntax-only -Wall -Wextra -Werror" + Include() + "all.cc"),
            0);
}

TEST(StandaloneProgram, ATensorOfTooManyElementsHasNone) {
  const Trial trial = Generator::OfClass(
      lab::CaseFromName(*lab::FindOp("residual_add"), "f32/zeros/C5000_T3"), lab::Poison::kNan);
  EXPECT_EQ(StandaloneProgram(trial, {}, false, ""), "");
}

TEST(StandaloneProgram, TakesTheSymbolFromTheKernelsName) {
  EXPECT_EQ(LibraryOf("./mine.so:other").file, "./mine.so");
  EXPECT_EQ(LibraryOf("./mine.so:other").symbol, "other");
  EXPECT_EQ(LibraryOf("./mine.so").symbol, "");
}

}  // namespace
}  // namespace touchstone::fuzz
