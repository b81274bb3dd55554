// Specs: every case can be rebuilt from its name, generated inputs are what the documentation says,
// and a name from outside that cannot be a case is refused with the reason.
#include "lab/spec.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numeric>
#include <set>
#include <string>
#include <vector>

#include "lab/chain.h"
#include "lab/errors.h"
#include "lab/input_class.h"
#include "lab/judge.h"

namespace touchstone::lab {
namespace {

// Rows `which` of a tensor whose first letter counts rows, in that order.
Tensor Gathered(const Tensor& tensor, const std::vector<int64_t>& which) {
  std::vector<int64_t> shape = tensor.shape;
  const size_t row = tensor.data.size() / static_cast<size_t>(shape.front());
  shape.front() = static_cast<int64_t>(which.size());
  Tensor some(tensor.dtype, shape);
  for (size_t i = 0; i < which.size() && row > 0; ++i) {
    std::memcpy(some.data.data() + i * row,
                tensor.data.data() + static_cast<size_t>(which[i]) * row, row);
  }
  return some;
}

// The rows alone, in that order, must have the bits that they have in the whole case.
void ExpectSameRows(const Case& whole, const Tensors& inputs, const Tensors& right,
                    const std::vector<int64_t>& which) {
  Case c = whole;
  c.sizes.at(c.op->rows) = static_cast<int64_t>(which.size());
  if (c.op->derive) c.op->derive(&c.sizes);
  Tensors some;
  for (const Argument& argument : c.op->arguments) {
    const Tensor& all = inputs.at(argument.name);
    some[argument.name] = argument.dims.starts_with(c.op->rows) ? Gathered(all, which) : all;
  }
  Run(c, &some, 1);
  for (const Argument& argument : c.op->arguments) {
    if (argument.role == Role::kIn) continue;
    ASSERT_TRUE(argument.dims.starts_with(c.op->rows)) << c.op->name << " " << argument.name;
    const Tensor wanted = Gathered(right.at(argument.name), which);
    if (wanted.count() == 0) continue;
    const Comparison bits =
        CompareBits(argument.name, argument.dims, some.at(argument.name), wanted);
    EXPECT_TRUE(bits.Passed()) << c.op->name << " " << whole.Name() << " at " << bits.first->at;
  }
}

TEST(Spec, EveryCaseIsRebuiltFromItsName) {
  int64_t cases = 0;
  for (const OpSpec* op : AllOps()) {
    std::set<std::string> names;
    for (const Case& c : CasesOf(*op)) {
      const Case again = CaseFromName(*op, c.Name());
      EXPECT_EQ(again.Name(), c.Name());
      EXPECT_EQ(again.sizes, c.sizes) << op->name << " " << c.Name();
      EXPECT_EQ(again.attributes, c.attributes) << op->name << " " << c.Name();
      EXPECT_EQ(again.recipe, c.recipe);
      EXPECT_TRUE(names.insert(c.Name()).second) << op->name << " has two cases " << c.Name();
      ++cases;
    }
    EXPECT_FALSE(names.empty()) << op->name;
  }
  EXPECT_GT(cases, 100);
}

TEST(Spec, EveryOpHasAWorkedExampleAReasonAndRules) {
  for (const OpSpec* op : AllOps()) {
    EXPECT_FALSE(op->title.empty()) << op->name;
    EXPECT_FALSE(op->formula.empty()) << op->name;
    EXPECT_FALSE(op->reason.empty()) << op->name;
    if (op->is_chain()) {
      std::string steps;
      for (const StepCase& step : StepsOf(CasesOf(*op).front())) {
        steps += (steps.empty() ? "" : "+") + step.c.op->name;
      }
      EXPECT_EQ(steps, op->parts) << op->name << ": the row of ops.def names other steps";
    } else {
      EXPECT_FALSE(op->examples.empty()) << op->name;
      EXPECT_FALSE(op->rules.empty()) << op->name;
      EXPECT_EQ(op->implementations.front().name, "reference") << op->name;
    }
  }
}

TEST(Spec, RowsOfTheReferenceDoNotDependOnEachOther) {
  for (const OpSpec* op : AllOps()) {
    if (op->rows == 0) continue;
    int64_t tried = 0;
    for (const Case& c : CasesOf(*op)) {
      const int64_t rows = c.size(op->rows);
      if (c.hashed || rows < 2) continue;
      const Tensors inputs = MakeTensors(c);
      Tensors right = inputs;
      Run(c, &right, 1);
      std::vector<int64_t> reversed(static_cast<size_t>(rows));
      std::iota(reversed.rbegin(), reversed.rend(), 0);
      ExpectSameRows(c, inputs, right, reversed);
      for (const int64_t row : {int64_t{0}, rows - 1}) ExpectSameRows(c, inputs, right, {row});
      ++tried;
    }
    EXPECT_GT(tried, 0) << op->name;
  }
}

TEST(Spec, NamesFromOutsideAreRefusedWithTheReason) {
  const OpSpec& op = *FindOp("rmsnorm");
  for (const char* name :
       {"", "bf16", "bf16/normal", "f16/normal/C8_T1", "bf16/no_class/C8_T1", "bf16/normal/C8_Z1",
        "bf16/normal/C", "bf16/normal/C-1", "bf16/normal/C1.5", "bf16/normal/C8_eps",
        "bf16/normal/C8_no=1", "bf16/normal/C1e300", "bf16/normal/_", "bf16/normal/C8__T1x",
        "bf16/normal/Cnan", "bf16/normal/C8_seed=-1", "//"}) {
    EXPECT_THROW(CaseFromName(op, name), UsageError) << name;
  }
}

TEST(InputClass, SameWordsSameTensor) {
  const Case c = CaseFromName(*FindOp("rmsnorm"), "bf16/normal/C80_T3");
  const Tensors once = MakeTensors(c), again = MakeTensors(c);
  EXPECT_EQ(once.at("x").data, again.at("x").data);
  EXPECT_NE(once.at("x").data,
            MakeTensors(CaseFromName(*c.op, "bf16/normal/C80_T3_seed=2")).at("x").data);
  for (int64_t i = 0; i < once.at("y").count(); ++i) EXPECT_TRUE(std::isnan(once.at("y").Real(i)));
}

TEST(InputClass, GeneralClassesAreWhatTheirNamesSay) {
  const OpSpec& op = *FindOp("linear");
  const auto x_of = [&](const std::string& input_class) {
    return MakeTensors(CaseFromName(op, "f32/" + input_class + "/C80_F7_T3")).at("x");
  };
  const Tensor integers = x_of("integers"), zeros = x_of("zeros"), subnormals = x_of("subnormals");
  bool has_nan = false, has_infinity = false;
  const Tensor specials = MakeTensors(CaseFromName(op, "f32/specials/C800_F7_T3")).at("x");
  for (int64_t i = 0; i < specials.count(); ++i) {
    has_nan = has_nan || std::isnan(specials.Real(i));
    has_infinity = has_infinity || std::isinf(specials.Real(i));
  }
  EXPECT_TRUE(has_nan && has_infinity);
  for (int64_t i = 0; i < integers.count(); ++i) {
    EXPECT_EQ(integers.Real(i), std::floor(integers.Real(i)));
    EXPECT_LE(std::fabs(integers.Real(i)), 4.0);
    EXPECT_EQ(zeros.Real(i), 0.0);
    EXPECT_LT(std::fabs(subnormals.Real(i)), 0x1p-126);
  }
  EXPECT_THROW(x_of("no_class"), UsageError);
}

}  // namespace
}  // namespace touchstone::lab
