// Planted faults: a weak suite lets some pass and says so, a strong one rejects them, and what only
// equality of bits can see is told apart from both. The whole panel runs in decoy_table.
#include "lab/decoys/decoys.h"

#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "lab/input_class.h"
#include "lab/judge.h"

namespace touchstone::lab {
namespace {

std::map<std::string, DecoyResult> Tried(const char* op, const std::vector<const char*>& names,
                                         bool exact) {
  std::vector<Case> cases;
  for (const char* name : names) cases.push_back(CaseFromName(*FindOp(op), name));
  std::map<std::string, DecoyResult> by_name;
  for (const DecoyResult& result : TryDecoys(*FindOp(op), {.cases = cases, .exact = exact}, 2)) {
    EXPECT_TRUE(by_name.emplace(result.name, result).second) << "two decoys " << result.name;
  }
  return by_name;
}

TEST(Decoys, HaveNamesAndMeaningsOfTheirOwn) {
  for (const OpSpec* op : AllOps()) {
    std::set<std::string> names;
    for (const Decoy& decoy : DecoysOf(*op)) {
      EXPECT_TRUE(names.insert(decoy.name).second) << op->name << ": two decoys " << decoy.name;
      EXPECT_FALSE(decoy.meaning.empty()) << op->name << " " << decoy.name;
    }
    EXPECT_GT(names.size(), 40u) << op->name;
  }
}

TEST(Decoys, AWeakSuiteLetsThemPass) {
  // Of zeros the norm is zero, whatever a kernel does.
  const auto weak = Tried("rmsnorm", {"f32/zeros/C80_T3"}, false);
  EXPECT_EQ(weak.at("zeros").fate, DecoyFate::kPassed);
  EXPECT_NE(weak.at("zeros").by, "");
  EXPECT_EQ(weak.at("eps doubled").fate, DecoyFate::kPassed);
  EXPECT_EQ(weak.at("nothing written").fate, DecoyFate::kRejected);

  const auto strong =
      Tried("rmsnorm", {"f32/zeros/C80_T3", "f32/normal/C80_T3", "bf16/small/C80_T3"}, false);
  EXPECT_EQ(strong.at("zeros").fate, DecoyFate::kRejected);
  EXPECT_EQ(strong.at("eps doubled").fate, DecoyFate::kRejected);
  EXPECT_EQ(strong.at("eps doubled").by, "f32/normal/C80_T3");
}

TEST(Decoys, SignsOfZeroAreSeenByEqualityAlone) {
  const std::vector<const char*> suite = {"f32/zeros/C80_T3"};
  EXPECT_EQ(Tried("rmsnorm", suite, false).at("signs of zero lost").fate, DecoyFate::kWithin);
  EXPECT_EQ(Tried("rmsnorm", suite, true).at("signs of zero lost").fate, DecoyFate::kRejected);
}

// What the kernel was allowed, its suite does not claim to see.
TEST(Decoys, AnAllowanceWidensTheirBoundToo) {
  const OpSpec& op = *FindOp("residual_add");
  const auto fate = [&op](const char* decoy, const char* allowed) {
    const TriedSuite suite{.cases = CasesOf(op), .allowance = exact::AllowanceFromText(allowed)};
    for (const DecoyResult& result : TryDecoys(op, suite, 2)) {
      if (result.name == decoy) return result.fate;
    }
    ADD_FAILURE() << "no decoy " << decoy;
    return DecoyFate::kSameBits;
  };
  EXPECT_EQ(fate("subnormal outputs flushed", ""), DecoyFate::kRejected);
  EXPECT_EQ(fate("subnormal outputs flushed", "ftz"), DecoyFate::kWithin);
  EXPECT_EQ(fate("zeros", "ftz"), DecoyFate::kRejected);
}

TEST(Decoys, RoundingFaultsAreMade) {
  const OpSpec& op = *FindOp("linear");
  const Case c = CaseFromName(op, "bf16/normal/C80_F7_T3");
  const Tensors inputs = MakeTensors(c);
  Tensors right = inputs;
  lab::Run(c, &right, 1);
  int made = 0;
  for (const Decoy& decoy : DecoysOf(op)) {
    if (decoy.name != "truncated in place of rounded") continue;
    const auto wrong = decoy.outputs(c, inputs, right);
    ASSERT_TRUE(wrong.has_value());
    for (int64_t i = 0; i < right.at("y").count(); ++i) {
      EXPECT_LE(std::fabs(wrong->at("y").Real(i)), std::fabs(right.at("y").Real(i)));
    }
    ++made;
  }
  EXPECT_EQ(made, 1);
}

TEST(Decoys, AFaultThatChangesNothingIsNone) {
  const OpSpec& op = *FindOp("residual_add");
  const Case c = CaseFromName(op, "f32/normal/C80_T3");
  const Tensors inputs = MakeTensors(c);
  Tensors right = inputs;
  lab::Run(c, &right, 1);
  for (const Decoy& decoy : DecoysOf(op)) {
    if (decoy.name == "a and b exchanged") {
      EXPECT_FALSE(decoy.outputs(c, inputs, right).has_value());
    }
  }
}

}  // namespace
}  // namespace touchstone::lab
