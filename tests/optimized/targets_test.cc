// The candidates with Highway on every target that is compiled and that this processor has, each
// forced, with several numbers of threads: the reference's bits in every case of their ops, in
// shapes about their own groups, tiles and blocks, and with any strides. Targets that the processor
// lacks are NOT RUN, and named.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <hwy/highway.h>
#include <hwy/targets.h>

#include <cstdio>
#include <string>
#include <utility>
#include <vector>

#include "lab/chain.h"
#include "lab/input_class.h"
#include "lab/judge.h"
#include "lab/spec.h"
#include "reference/ops/linear/linear.h"
#include "reference/ops/rmsnorm/rmsnorm.h"

namespace touchstone::lab {
namespace {

// The compiled targets that this processor has.
const std::vector<int64_t>& TargetsHere() {
  static const std::vector<int64_t> targets = [] {
    std::vector<int64_t> found;
    std::string run, lacking;
    const int64_t here = hwy::SupportedTargets();
    for (int64_t left = HWY_TARGETS; left != 0; left &= left - 1) {
      const int64_t target = left & -left;
      const bool supported = (here & target) != 0;
      if (supported) found.push_back(target);
      (supported ? run : lacking) += std::string(" ") + hwy::TargetName(target);
    }
    fmt::print("targets:{}{}{}\n", run,
               lacking.empty() ? "" : "; NOT RUN, since this processor lacks them:", lacking);
    return found;
  }();
  return targets;
}

// Forces a target while it lives.
class Forced {
 public:
  explicit Forced(int64_t target) { hwy::SetSupportedTargetsForTest(target); }
  ~Forced() { hwy::SetSupportedTargetsForTest(0); }
  Forced(const Forced&) = delete;
  Forced& operator=(const Forced&) = delete;
};

// Whether an implementation is one that a target makes a difference to.
bool HasTargets(const Implementation& candidate) {
  return candidate.name.starts_with("optimized/");
}

// Every such candidate of the op on a case, against the reference; counts the elements of one
// target.
void ExpectTheReferencesBits(const Case& c, const std::vector<int>& thread_counts,
                             int64_t* compared) {
  const Tensors inputs = MakeTensors(c);
  Tensors wanted = inputs;
  Run(c, &wanted, 1);
  ASSERT_FALSE(TargetsHere().empty());
  for (const int64_t target : TargetsHere()) {
    const Forced forced(target);
    for (const Implementation& candidate : c.op->implementations) {
      if (!HasTargets(candidate)) continue;
      for (const int threads : thread_counts) {
        Tensors got = inputs;
        Run(c, candidate, &got, threads);
        const Comparison comparison =
            CompareBits("y", c.op->argument("y").dims, got.at("y"), wanted.at("y"));
        ASSERT_EQ(comparison.outside, 0)
            << candidate.name << " on " << hwy::TargetName(target) << ", " << threads
            << " threads, " << c.op->name << " " << c.Name() << ": " << comparison.first->at
            << " is " << comparison.first->got << ", not " << comparison.first->wanted;
        if (target == TargetsHere().front()) *compared += comparison.compared;
      }
    }
  }
}

TEST(Targets, GiveTheReferencesBitsInEveryCase) {
  for (const char* name : {"linear", "rmsnorm"}) {
    int64_t compared = 0;
    for (const Case& c : CasesOf(*FindOp(name))) {
      ExpectTheReferencesBits(c, {1, 2, 3, 7}, &compared);
    }
    EXPECT_GT(compared, 1000) << name;
  }
}

// Widths about a vector, the streamed rows, half a panel and a block of 128; tokens about a tile
// and the most that are streamed together; 1030 and 515 leave a rest of a slice, of a vector and of
// 256 lanes.
TEST(Targets, GiveTheReferencesBitsInShapesOfTheirOwn) {
  std::vector<std::string> shapes;
  for (const int tokens : {1, 2, 3, 5, 8, 9, 16, 17, 29, 50}) {
    for (const int width : {8, 15, 16, 33, 131}) {
      shapes.push_back(fmt::format("C515_F{}_T{}", width, tokens));
    }
    shapes.push_back(fmt::format("C1030_F65_T{}", tokens));
  }
  int64_t compared = 0;
  for (const std::string& shape : shapes) {
    for (const char* kind : {"f32/normal/", "bf16/normal/", "f32/specials/", "bf16/wide/"}) {
      ExpectTheReferencesBits(CaseFromName(*FindOp("linear"), kind + shape), {3}, &compared);
    }
  }
  for (const char* kind : {"f32/normal/", "bf16/normal/", "f32/subnormals/", "bf16/specials/"}) {
    for (const int width : {7, 16, 31, 263, 1279}) {
      const Case c = CaseFromName(*FindOp("rmsnorm"), kind + fmt::format("C{}_T5", width));
      ExpectTheReferencesBits(c, {1}, &compared);
    }
  }
  EXPECT_GT(compared, 10000);
}

// Outputs above 16 MiB are written past the caches; more than 1024 tokens come in parts.
TEST(Targets, GiveTheReferencesBitsInLargeTensors) {
  int64_t compared = 0;
  for (const char* name : {"f32/normal/C4111_T1030", "bf16/normal/C8207_T1030"}) {
    ExpectTheReferencesBits(CaseFromName(*FindOp("rmsnorm"), name), {1}, &compared);
  }
  for (const char* name :
       {"f32/normal/C17_F19_T1031", "bf16/normal/C17_F19_T2049", "bf16/normal/C17_F16_T1031"}) {
    ExpectTheReferencesBits(CaseFromName(*FindOp("linear"), name), {2}, &compared);
  }
  EXPECT_GT(compared, 1000000);
}

// Room for a view of any strides, every element of it a value that no output has.
template <typename Storage>
class Room {
 public:
  explicit Room(size_t count) : values_(count, Narrow<Storage>(kUnwritten)) {}
  Storage* data() { return values_.data(); }
  size_t Written() const {
    size_t count = 0;
    for (const Storage value : values_) count += Widen(value) != kUnwritten ? 1 : 0;
    return count;
  }
  bool operator==(const Room&) const = default;

 private:
  static constexpr float kUnwritten = -0x1.5p100f;
  std::vector<Storage> values_;
};

// Strides of one tensor (rows, columns), and what it needs room for.
struct Strides {
  int64_t row = 0, column = 0;
};

template <typename Storage>
void ExpectAnyStridesOfLinear(const std::string& target) {
  constexpr int64_t C = 530, F = 67;
  Tensor values(kDtypeOf<Storage>, {4096, 64});
  FillByClass("normal", 1, 1, 7, &values);
  const auto* from = std::as_const(values).values<Storage>();
  for (const int64_t T : {1, 9, 19}) {
    for (const Strides x : {Strides{C, 1}, Strides{1, T}, Strides{C + 3, 1}}) {
      for (const Strides w : {Strides{C, 1}, Strides{1, F}, Strides{C + 5, 1}, Strides{2 * C, 2}}) {
        for (const Strides y : {Strides{F, 1}, Strides{1, T}, Strides{F + 9, 1}}) {
          const View<const Storage, 'T', 'C'> tokens{from, {T, C}, {x.row, x.column}};
          const View<const Storage, 'F', 'C'> weight{from + 7, {F, C}, {w.row, w.column}};
          Room<Storage> wanted(2048), got(2048);
          const View<Storage, 'T', 'F'> expected{wanted.data(), {T, F}, {y.row, y.column}};
          const View<Storage, 'T', 'F'> outputs{got.data(), {T, F}, {y.row, y.column}};
          Linear<Storage>(tokens, weight, expected, 1);
          FindOp("linear")->implementations.at(1).As<decltype(Linear<Storage>)>(kDtypeOf<Storage>)(
              tokens, weight, outputs, 2);
          EXPECT_EQ(wanted.Written(), static_cast<size_t>(T * F));
          EXPECT_TRUE(got == wanted)
              << target << " T=" << T << " strides of x " << x.row << "," << x.column << " weight "
              << w.row << "," << w.column << " y " << y.row << "," << y.column;
        }
      }
    }
  }
}

template <typename Storage>
void ExpectAnyStridesOfRmsNorm(const std::string& target) {
  constexpr int64_t T = 3, C = 77;
  Tensor values(kDtypeOf<Storage>, {64, 64});
  FillByClass("normal", 1, 1, 7, &values);
  auto* from = values.values<Storage>();
  auto* candidate =
      FindOp("rmsnorm")->implementations.at(1).As<decltype(RmsNorm<Storage>)>(kDtypeOf<Storage>);
  for (const Strides x : {Strides{C, 1}, Strides{1, T}, Strides{C + 3, 1}}) {
    for (const int64_t w : {1, 2}) {
      for (const Strides y : {Strides{C, 1}, Strides{1, T}, Strides{C + 9, 1}}) {
        const View<const Storage, 'T', 'C'> tokens{from, {T, C}, {x.row, x.column}};
        const View<const Storage, 'C'> weight{from + 1000, {C}, {w}};
        Room<Storage> wanted(512), got(512);
        RmsNorm<Storage>(tokens, weight, 1e-5f, {wanted.data(), {T, C}, {y.row, y.column}});
        candidate(tokens, weight, 1e-5f, {got.data(), {T, C}, {y.row, y.column}});
        EXPECT_EQ(wanted.Written(), static_cast<size_t>(T * C));
        EXPECT_TRUE(got == wanted) << target << " strides of x " << x.row << "," << x.column
                                   << " weight " << w << " y " << y.row << "," << y.column;
      }
    }
  }
  // In place.
  std::vector<Storage> wanted(from, from + T * C), got = wanted;
  const View<const Storage, 'C'> weight{from + 1000, {C}, {1}};
  const auto rows = Packed<'T', 'C'>(wanted.data(), T, C),
             again = Packed<'T', 'C'>(got.data(), T, C);
  RmsNorm<Storage>(rows, weight, 1e-5f, rows);
  candidate(again, weight, 1e-5f, again);
  EXPECT_TRUE(got == wanted) << target << " in place";
}

TEST(Targets, TakeAnyStridesAndWriteNothingElse) {
  for (const int64_t target : TargetsHere()) {
    const Forced forced(target);
    ExpectAnyStridesOfLinear<float>(hwy::TargetName(target));
    ExpectAnyStridesOfLinear<Bf16>(hwy::TargetName(target));
    ExpectAnyStridesOfRmsNorm<float>(hwy::TargetName(target));
    ExpectAnyStridesOfRmsNorm<Bf16>(hwy::TargetName(target));
  }
}

}  // namespace
}  // namespace touchstone::lab
