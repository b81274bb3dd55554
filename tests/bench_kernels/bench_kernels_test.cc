// The judging of bench/kernels, at the rows of bench/kernel_sizes.tsv with small sizes in place of
// theirs, under the execution model: what a GPU is to time must be judged, and a wrong kernel must
// not pass.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "bench/kernels/contenders.cuh"
#include "bench/kernels/problem.h"
#include "bench/kernels/references.cuh"

namespace touchstone::bench {
namespace {

// Nothing larger than this, and what belongs together still does.
const std::map<char, int64_t> kMost = {
    {'A', 1}, {'B', 2}, {'C', 80}, {'D', 16}, {'E', 3},  {'F', 24}, {'G', 1},   {'H', 5},
    {'J', 8}, {'O', 4}, {'Q', 80}, {'R', 4},  {'S', 24}, {'T', 4},  {'V', 300}, {'W', 16}};

Problem Small(Problem problem) {
  for (auto& [letter, size] : problem.sizes) size = std::min(size, kMost.at(letter));
  if (problem.op == "rope_qk_norm" || problem.op == "rope") problem.sizes['H'] = 6;
  if (problem.attributes.contains("chunk")) problem.attributes["chunk"] = 8;
  return problem;
}

Forgotten ReferenceFor(const Problem& problem) {
  return problem.recipe == Dtype::kF32 ? ReferenceOf<float>(problem.op)
                                       : ReferenceOf<Bf16>(problem.op);
}

TEST(BenchKernels, EveryRowIsJudged) {
  const std::vector<Contender> kernels = AllKernels();
  const std::vector<Problem> problems = ReadProblems("bench/kernel_sizes.tsv");
  std::set<std::string> judged, seen;
  for (const Problem& row : problems) {
    const Problem problem = Small(row);
    SCOPED_TRACE(row.op + " " + row.case_name);
    int64_t called = 0;
    for (const Contender& one : kernels) {
      if (one.op != problem.op || one.recipe != problem.recipe) continue;
      ++called;
      judged.insert(one.op + "/" + one.algorithm);
      if (!seen.insert(one.op + one.algorithm + problem.case_name).second) continue;
      const std::unique_ptr<DeviceCall> call = one.make(problem);
      const Judged said = call->Judge(one.kernel, ReferenceFor(problem), false);
      EXPECT_EQ(said.verdict, "BIT-EXACT") << one.algorithm << ": " << said.what;
      EXPECT_GT(said.compared, 0);
    }
    EXPECT_GT(called, 0) << "no kernel computes it";
    const Counts counts = CountsOf(row, 1e15);
    EXPECT_GT(counts.bytes, 0.0);
    EXPECT_LE(counts.bytes, 1e15);
  }
  std::set<std::string> all;
  for (const Contender& one : kernels) all.insert(one.op + "/" + one.algorithm);
  EXPECT_EQ(judged, all) << "a kernel that no row times";
}

// What a GPU would be given: the kernel of another op of the same type.
template <typename Storage>
void WrongLast(View<const Storage, 'T', 'C'> x, View<const Storage, 'F', 'C'> weight,
               View<Storage, 'T', 'F'> y, int threads) {
  Linear<Storage>(x, weight, y, threads);
  const int64_t T = y.shape[0], F = y.shape[1];
  y(T - 1, F - 1) = Narrow<Storage>(Widen(y(T - 1, F - 1)) * 1.25f);
}
template <typename Storage>
void AnotherOrder(View<const Storage, 'T', 'C'> x, View<const Storage, 'F', 'C'> weight,
                  View<Storage, 'T', 'F'> y, int) {
  for (int64_t t = 0; t < y.shape[0]; ++t) {
    for (int64_t f = 0; f < y.shape[1]; ++f) {
      float sum = 0.0f;
      for (int64_t c = x.shape[1]; c-- > 0;) sum += Widen(x(t, c)) * Widen(weight(f, c));
      y(t, f) = Narrow<Storage>(sum);
    }
  }
}

template <typename Storage>
Judged JudgedLinear(decltype(Linear<Storage>)* kernel, bool is_bounded) {
  const Problem problem{"here", "linear", Dtype::kF32, {{'C', 700}, {'F', 9}, {'T', 7}}, {}, ""};
  CallOf<decltype(Linear<Storage>)> call(problem);
  return call.Judge(reinterpret_cast<Forgotten>(kernel), ReferenceOf<Storage>("linear"),
                    is_bounded);
}

TEST(BenchKernels, AWrongElementIsSeen) {
  for (const bool is_bounded : {false, true}) {
    const Judged wrong = JudgedLinear<float>(WrongLast<float>, is_bounded);
    EXPECT_EQ(wrong.verdict, "FAILED");
    EXPECT_NE(wrong.what.find("argument 3, element 62: got"), std::string::npos) << wrong.what;
  }
  EXPECT_EQ(JudgedLinear<float>(Linear<float>, false).verdict, "BIT-EXACT");
}

TEST(BenchKernels, AnotherOrderIsWithinTheBoundAndNotExact) {
  EXPECT_EQ(JudgedLinear<float>(AnotherOrder<float>, true).verdict, "WITHIN BOUND");
  EXPECT_EQ(JudgedLinear<float>(AnotherOrder<float>, false).verdict, "FAILED");
}

// The floor of a linear of the table by hand: 2 T F C operations; x, weight and y once, in bf16.
TEST(BenchKernels, CountsAreThoseOfAHand) {
  const Problem linear{"", "linear", Dtype::kBf16, {{'C', 5120}, {'F', 7168}, {'T', 1}}, {}, ""};
  EXPECT_EQ(CountsOf(linear, 73424896.0).flops, 73400320.0);
  EXPECT_EQ(CountsOf(linear, 73424896.0).bytes, 73424896.0);
  // A token at position 8191 of chunks of 8192 sees 8192 keys.
  Problem decode{"", "attention", Dtype::kBf16, {}, {{"chunk", 8192}}, ""};
  decode.sizes = {{'D', 128}, {'G', 8}, {'H', 40}, {'S', 16384}, {'T', 1}};
  EXPECT_EQ(CountsOf(decode, 2e8).flops, 4.0 * 8192 * 40 * 128);
  EXPECT_EQ(CountsOf(decode, 2e8).bytes, 2e8 - 2.0 * 2 * 8192 * 8 * 128);
}

}  // namespace
}  // namespace touchstone::bench
