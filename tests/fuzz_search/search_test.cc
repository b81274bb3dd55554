// Planted faults are found within few trials, wherever they are looked for, and made as small as
// they can be.
#include "fuzz/search/search.h"

#include <gtest/gtest.h>

#include <cmath>
#include <exception>

#include "fuzz/search/shrink.h"
#include "fuzz/search/tensor_edits.h"
#include "reference/formats/require.h"
#include "tests/fuzz_search/planted_kernel.h"

namespace touchstone::fuzz {
namespace {

bool Never() { return false; }
void Ignore() {}

// Runs until the first failure, which must come within so many trials.
std::optional<Found> FirstFailure(Search* search) { return search->Run(Never, Ignore); }

Search Searching(const std::string& op, const PlantedKernel::Fault& fault, bool exact,
                 int jobs = 1) {
  return Search(*lab::FindOp(op), 7, Planted(op, fault), exact,
                {.trials = 3000, .seconds = 60.0, .jobs = jobs});
}

Shrunk Small(Search* search, const Found& found) {
  return Shrink(search->generator(), *search->judge(), found.trial, found.judgement, {});
}

void ExpectSameTrial(const Trial& a, const Trial& b) {
  EXPECT_EQ(Describe(a), Describe(b));
  ASSERT_EQ(a.tensors.size(), b.tensors.size());
  for (const auto& [name, tensor] : a.tensors) {
    EXPECT_EQ(tensor.shape, b.tensors.at(name).shape) << name;
    EXPECT_TRUE(tensor.data == b.tensors.at(name).data) << name;
  }
}

TEST(Search, FindsOneWrongElementAndMakesItSmall) {
  Search search = Searching("residual_add", OneElementWrong, false);
  const std::optional<Found> found = FirstFailure(&search);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->judgement.outcome, Outcome::kOutside);
  const Shrunk small = Small(&search, *found);
  EXPECT_TRUE(small.complete);
  EXPECT_EQ(small.trial.c.size('T'), 1);
  EXPECT_EQ(small.trial.c.size('C'), 5);
  EXPECT_EQ(small.trial.c.recipe, Dtype::kF32);
  EXPECT_EQ(NonZero(small.trial), 0);
  EXPECT_EQ(small.judgement.difference.at, "t=0 c=4");
  EXPECT_EQ(small.judgement.Kind(), found->judgement.Kind());
  ASSERT_TRUE(small.named);  // zeros fail alike: no file is needed
  EXPECT_EQ(small.named->size('C'), 5);
}

TEST(Search, FindsALostSignOfZeroByBits) {
  Search search = Searching("embedding", NegativeZeroLost, true);
  const std::optional<Found> found = FirstFailure(&search);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->judgement.outcome, Outcome::kBits);
  const Shrunk small = Small(&search, *found);
  EXPECT_TRUE(small.complete);
  for (const char letter : {'T', 'V', 'C'}) EXPECT_EQ(small.trial.c.size(letter), 1) << letter;
  EXPECT_EQ(NonZero(small.trial), 1);
  const double value = small.trial.tensors.at("table").Real(0);
  EXPECT_TRUE(value == 0.0 && std::signbit(value));
}

TEST(Search, ASignOfZeroIsWithinTheBound) {
  Search search(*lab::FindOp("embedding"), 7, Planted("embedding", NegativeZeroLost), false,
                {.trials = 300});
  EXPECT_FALSE(FirstFailure(&search));
  EXPECT_EQ(search.next(), 300u);
  EXPECT_GT(search.coverage().compared, 0);
}

TEST(Search, FindsACrashAtOneSize) {
  Search search = Searching("rmsnorm", CrashAtThree, false);
  const std::optional<Found> found = FirstFailure(&search);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->judgement.outcome, Outcome::kCrashed);
  const Shrunk small = Small(&search, *found);
  EXPECT_EQ(small.trial.c.size('T'), 3);
  EXPECT_EQ(small.trial.c.size('C'), 1);
  EXPECT_EQ(NonZero(small.trial), 0);
}

TEST(Search, KeepsTheKindOfAFailureWhileItShrinks) {
  // Wider than 40 it is wrong, at 40 and below it times out: the smallest wrong one has 41.
  const auto fault = [](const lab::Case& c, const lab::Tensors&, lab::RunResult* result) {
    Tensor& y = result->outputs.at("y");
    if (c.size('C') > 40 && y.count() > 0) y.SetReal(0, INFINITY);
    if (c.size('C') <= 40) *result = {.state = lab::RunState::kTimedOut, .what = "20 s"};
  };
  Search search = Searching("residual_add", fault, false);
  std::optional<Found> found = FirstFailure(&search);
  while (found && found->judgement.outcome != Outcome::kOutside) found = FirstFailure(&search);
  ASSERT_TRUE(found);
  EXPECT_EQ(Small(&search, *found).trial.c.size('C'), 41);
}

TEST(Search, SaysWhatAKernelMayNotDo) {
  const auto fault = [](const lab::Case&, const lab::Tensors&, lab::RunResult* result) {
    result->breaches.push_back("writes 4 bytes past the end of y");
  };
  Search search = Searching("swiglu", fault, false);
  const std::optional<Found> found = FirstFailure(&search);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->judgement.outcome, Outcome::kBreach);
  EXPECT_EQ(found->judgement.what, "writes 4 bytes past the end of y");
}

TEST(Search, CountsWhatAKernelRefuses) {
  const auto fault = [](const lab::Case&, const lab::Tensors&, lab::RunResult* result) {
    *result = {.state = lab::RunState::kRefused};
  };
  Search search(*lab::FindOp("swiglu"), 1, Planted("swiglu", fault), false, {.trials = 50});
  EXPECT_FALSE(FirstFailure(&search));
  EXPECT_EQ(search.coverage().refused, 50);
  EXPECT_EQ(search.coverage().compared, 0);
}

TEST(Search, FindsTheSameTrialOnAnyNumberOfThreads) {
  Search one = Searching("embedding", NegativeZeroLost, true, 1);
  Search three = Searching("embedding", NegativeZeroLost, true, 3);
  const std::optional<Found> a = FirstFailure(&one), b = FirstFailure(&three);
  ASSERT_TRUE(a && b);
  EXPECT_EQ(a->index, b->index);
  EXPECT_EQ(one.next(), three.next());
  EXPECT_EQ(one.coverage().trials, three.coverage().trials);
  EXPECT_EQ(one.coverage().invalid, three.coverage().invalid);
  ExpectSameTrial(a->trial, b->trial);
  const Shrunk small_a = Small(&one, *a), small_b = Small(&three, *b);
  EXPECT_EQ(small_a.tries, small_b.tries);
  ExpectSameTrial(small_a.trial, small_b.trial);
}

TEST(Search, AnotherSeedMakesOtherTrials) {
  const Generator generator(*lab::FindOp("rmsnorm"), {Dtype::kF32});
  // Empty where the op or its class refuses what was drawn.
  const auto made = [&](uint64_t seed, uint64_t i) -> std::string {
    try {
      return Describe(generator.Make(seed, i, 1));
    } catch (const std::exception&) {
      return "";
    }
  };
  int same = 0, compared = 0;
  for (uint64_t i = 0; i < 40; ++i) {
    const std::string one = made(1, i), other = made(2, i);
    if (one.empty() || other.empty()) continue;
    ++compared;
    same += one == other ? 1 : 0;
  }
  EXPECT_GT(compared, 20);
  EXPECT_LT(same, 3);
}

// The reference, the second reference and everything built in on every op: all pass, and few trials
// are given up.
TEST(Search, EveryOpHasValidTrialsThatPass) {
  for (const lab::OpSpec* op : lab::AllOps()) {
    Search search(*op, 11, {}, false, {.trials = 60, .seconds = 60.0});
    const std::optional<Found> found = FirstFailure(&search);
    EXPECT_FALSE(found) << op->name << " trial " << (found ? found->index : 0) << ": "
                        << (found ? Describe(found->trial) + " " + found->judgement.Kind() : "");
    EXPECT_GT(search.coverage().compared, 0) << op->name;
    EXPECT_LE(search.coverage().given_up, 6) << op->name;
  }
}

TEST(TensorEdits, SimplerValuesAreSimpler) {
  for (const double value : {0x1.8p-3, 1000.0, -0.0, -7.0, 0x1p-140, 0x1.23456p+99, HUGE_VAL}) {
    for (const double next : SimplerValues(value, Dtype::kF32)) {
      EXPECT_LT(Complexity(next), Complexity(value)) << next << " in place of " << value;
    }
  }
  EXPECT_TRUE(SimplerValues(0.0, Dtype::kF32).empty());
}

TEST(TensorEdits, KeepsACornerOfEachTensor) {
  const lab::OpSpec& op = *lab::FindOp("residual_add");
  lab::Case c = lab::CaseFromName(op, "f32/normal/C4_T2");
  Trial trial = Generator::OfClass(c, lab::Poison::kNan);
  for (int64_t i = 0; i < 8; ++i) trial.tensors.at("a").SetReal(i, static_cast<float>(i));
  c.sizes['C'] = 3;
  c.sizes['T'] = 1;
  const Tensor first = Resized(trial, c, Corner::kFirst, false).tensors.at("a");
  const Tensor last = Resized(trial, c, Corner::kLast, false).tensors.at("a");
  for (int64_t i = 0; i < 3; ++i) {
    EXPECT_EQ(first.Real(i), static_cast<double>(i));
    EXPECT_EQ(last.Real(i), static_cast<double>(i + 5));
  }
}

}  // namespace
}  // namespace touchstone::fuzz
