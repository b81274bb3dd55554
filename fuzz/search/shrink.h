// The smallest trial that fails as a found one does: smaller sizes, then the simpler format, then
// fewer elements that are not zero, then simpler values. Each step is kept only if the same failure
// (Judgement::Kind) stays.
//
// The order of tries is fixed, so that a found trial always shrinks to the same one, unless the
// seconds run out before the tries do.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "fuzz/search/generator.h"
#include "fuzz/search/trial_judge.h"

namespace touchstone::fuzz {

struct ShrinkLimits {
  int64_t tries = 20000;
  double seconds = 30.0;
  std::function<bool()> stop = [] { return false; };
  // A few times a second, with a line about the smallest so far.
  std::function<void(const std::string&)> progress = [](const std::string&) {};
};

struct Shrunk {
  Trial trial;
  Judgement judgement;
  // The smallest whose values its name generates, where one fails alike: no file is needed for it.
  std::optional<lab::Case> named;
  int64_t tries = 0;
  bool complete = false;  // no step of those tried makes it smaller; else the limits ended it
};

Shrunk Shrink(const Generator& generator, const TrialJudge& judge, const Trial& found,
              const Judgement& judgement, const ShrinkLimits& limits);

// Elements of inputs that are not +0.
int64_t NonZero(const Trial& trial);

// How far a value is from the simplest: 0 for +0, then 1, -1, small integers, powers of two, and
// numbers of few digits.
int Complexity(double value);

}  // namespace touchstone::fuzz
