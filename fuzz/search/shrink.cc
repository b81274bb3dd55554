#include "fuzz/search/shrink.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <chrono>
#include <cmath>
#include <exception>
#include <initializer_list>
#include <utility>
#include <vector>

#include "fuzz/search/tensor_edits.h"
#include "lab/input_class.h"

namespace touchstone::fuzz {
namespace {

using lab::Argument;
using lab::Case;
using Clock = std::chrono::steady_clock;

constexpr int64_t kScanned = 130;  // sizes tried one by one from the smallest
constexpr int kRounds = 6;
constexpr int64_t kValues = 2000;  // elements of a tensor whose values are made simpler

// All of them are tried, whatever the first ones gave.
bool Any(std::initializer_list<bool> steps) {
  return std::any_of(steps.begin(), steps.end(), [](bool step) { return step; });
}

class Shrinker {
 public:
  Shrinker(const Generator& generator, const TrialJudge& judge, const Trial& found,
           const Judgement& judgement, const ShrinkLimits& limits)
      : generator_(generator),
        judge_(judge),
        limits_(limits),
        kind_(judgement.Kind()),
        begin_(Clock::now()),
        best_{found, judgement, std::nullopt} {}

  Shrunk Run() {
    if (!best_.trial.given) {
      while (Any({Sizes(false), Attributes(), Seed()})) {
      }
      Recipe();
      best_.named = best_.trial.c;
      best_.trial.given = true;
    }
    best_.trial.patterns = {"shrunk"};
    for (int round = 0; round < kRounds; ++round) {
      const bool smaller = Any({Sizes(true), Attributes(), Recipe()});
      const bool simpler = Any({Zeros(), Values()});
      if (!smaller && !simpler) {
        best_.complete = !Spent();
        break;
      }
    }
    if (!best_.named) best_.named = Named();
    best_.tries = tries_;
    return std::move(best_);
  }

 private:
  bool Spent() const {
    return tries_ >= limits_.tries || limits_.stop() ||
           std::chrono::duration<double>(Clock::now() - begin_).count() > limits_.seconds;
  }

  // Whether the candidate fails alike; then it is the best.
  bool Keep(Trial candidate) {
    if (Spent()) return false;
    ++tries_;
    Judgement judgement = judge_.Judge(candidate);
    if (tries_ % 16 == 0) {
      limits_.progress(fmt::format("shrinking: {}, {} elements not 0, {} tries",
                                   Describe(best_.trial), NonZero(best_.trial), tries_));
    }
    if (judgement.Kind() != kind_ || limits_.stop()) return false;
    best_.trial = std::move(candidate);
    best_.judgement = std::move(judgement);
    return true;
  }

  // Makes a candidate and keeps it if it fails alike; what cannot be made is none.
  template <typename Make>
  bool KeepMade(Make make) {
    if (Spent()) return false;
    try {
      return Keep(make());
    } catch (const std::exception&) {
      return false;
    }
  }

  bool KeepCase(Case c, bool sliced) {
    if (c.op->derive) c.op->derive(&c.sizes);
    if (!generator_.ZerosAreListed(c)) return false;
    const Trial& from = best_.trial;
    if (!sliced) return KeepMade([&] { return Generator::OfClass(c, from.poison); });
    for (const Corner corner : {Corner::kFirst, Corner::kLast}) {
      for (const bool integers : {false, true}) {
        if (integers && !HasIntegers(c)) continue;
        if (KeepMade([&] { return Resized(from, c, corner, integers); })) return true;
      }
    }
    return false;
  }

  bool KeepSize(char letter, int64_t size, bool sliced) {
    Case c = best_.trial.c;
    c.sizes.at(letter) = size;
    return KeepCase(c, sliced);
  }

  // Every letter down: by halves, then the smallest of the first sizes that fails, then by one.
  bool Sizes(bool sliced) {
    bool smaller = false;
    const auto size = [&](char letter) { return best_.trial.c.size(letter); };
    for (const auto& [letter, unused] : best_.trial.c.op->sizes) {
      for (int64_t step = size(letter) / 2; step > 0; step /= 2) {
        while (size(letter) - step > 0 && KeepSize(letter, size(letter) - step, sliced)) {
          smaller = true;
        }
      }
      for (int64_t n = 0; n < std::min(size(letter), kScanned) && !Spent(); ++n) {
        smaller |= KeepSize(letter, n, sliced);
      }
    }
    return smaller;
  }

  // Each attribute to the op's default.
  bool Attributes() {
    bool simpler = false;
    const bool sliced = best_.trial.given;
    for (const auto& [name, standard] : best_.trial.c.op->attributes) {
      Case c = best_.trial.c;
      if (c.attributes.at(name) == standard) continue;
      c.attributes.at(name) = standard;
      simpler |= KeepCase(c, sliced);
    }
    return simpler;
  }

  bool Seed() {
    Case c = best_.trial.c;
    if (c.seed == 1) return false;
    c.seed = 1;
    return KeepCase(c, false);
  }

  bool Recipe() {
    Case c = best_.trial.c;
    const std::vector<Dtype>& recipes = c.op->recipes;
    const bool has_f32 = std::count(recipes.begin(), recipes.end(), Dtype::kF32) > 0;
    if (c.recipe == Dtype::kF32 || !has_f32) return false;
    c.recipe = Dtype::kF32;
    if (!best_.trial.given) return KeepCase(c, false);
    return KeepMade([&] { return WithRecipe(best_.trial, c); });
  }

  // A case of the smallest sizes whose own values fail alike.
  std::optional<Case> Named() {
    const Shrunk smallest = best_;
    for (const std::string& input_class : {std::string("zeros"), std::string("normal"),
                                           std::string("specials"), best_.trial.c.input_class}) {
      Case c = smallest.trial.c;
      c.input_class = input_class;
      c.seed = 1;
      if (!KeepCase(c, false)) continue;
      best_ = smallest;
      return c;
    }
    return std::nullopt;
  }

  // Blocks of each tensor's elements to 0: all, halves, quarters, ... one by one.
  bool Zeros() {
    bool simpler = false;
    for (const Argument& argument : best_.trial.c.op->arguments) {
      if (!IsInput(argument)) continue;
      std::vector<int64_t> left = NonZeroElements(best_.trial.tensors.at(argument.name));
      for (size_t block = left.size(); block > 0 && !Spent(); block /= 2) {
        std::vector<int64_t> kept;
        for (size_t first = 0; first < left.size(); first += block) {
          const auto begin = left.begin() + static_cast<std::ptrdiff_t>(first);
          const auto end =
              left.begin() + static_cast<std::ptrdiff_t>(std::min(first + block, left.size()));
          Trial candidate = best_.trial;
          for (auto i = begin; i != end; ++i) {
            SetElement(&candidate.tensors.at(argument.name), *i, 0.0);
          }
          if (Keep(std::move(candidate))) {
            simpler = true;
          } else {
            kept.insert(kept.end(), begin, end);
          }
        }
        left = std::move(kept);
        block = std::min(block, std::max<size_t>(left.size(), 1));
      }
    }
    return simpler;
  }

  // Each element to the simplest value that still fails; whole tensors first.
  bool Values() {
    bool simpler = false;
    for (const Argument& argument : best_.trial.c.op->arguments) {
      if (!IsInput(argument)) continue;
      simpler |= AllToOne(argument.name);
      const std::vector<int64_t> left = NonZeroElements(best_.trial.tensors.at(argument.name));
      for (size_t k = 0; k < left.size() && k < kValues && !Spent(); ++k) {
        simpler |= ToSimpler(argument.name, left[k]);
      }
    }
    return simpler;
  }

  bool AllToOne(const std::string& name) {
    Trial candidate = best_.trial;
    Tensor& tensor = candidate.tensors.at(name);
    bool simpler = false;
    for (const int64_t i : NonZeroElements(tensor)) {
      if (Complexity(tensor.Real(i)) <= Complexity(1.0)) continue;
      SetElement(&tensor, i, 1.0);
      simpler = true;
    }
    return simpler && Keep(std::move(candidate));
  }

  bool ToSimpler(const std::string& name, int64_t i) {
    bool simpler = false;
    for (bool again = true; again && !Spent();) {
      again = false;
      const Tensor& now = best_.trial.tensors.at(name);
      for (const double next : SimplerValues(now.Real(i), now.dtype)) {
        Trial candidate = best_.trial;
        SetElement(&candidate.tensors.at(name), i, next);
        again = Keep(std::move(candidate));
        if (again) break;
      }
      simpler |= again;
    }
    return simpler;
  }

  const Generator& generator_;
  const TrialJudge& judge_;
  const ShrinkLimits& limits_;
  const std::string kind_;
  const Clock::time_point begin_;
  Shrunk best_;
  int64_t tries_ = 0;
};

}  // namespace

Shrunk Shrink(const Generator& generator, const TrialJudge& judge, const Trial& found,
              const Judgement& judgement, const ShrinkLimits& limits) {
  return Shrinker(generator, judge, found, judgement, limits).Run();
}

}  // namespace touchstone::fuzz
