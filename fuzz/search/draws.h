// Random decisions of one trial. They follow from (seed, trial, attempt) alone, so that a trial is
// the same whoever makes it and whatever was made before.
//
// Philox4x32-10 with counter (block, trial lo, trial hi, 2 + attempt * 2^8) and the seed as key.
// Rule N10 has 0 in the last word and rule N11 has 1: no generated tensor shares a word with a
// decision.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "reference/formats/philox.h"

namespace touchstone::fuzz {

class Draws {
 public:
  Draws(uint64_t seed, uint64_t trial, uint32_t attempt)
      : key_{static_cast<uint32_t>(seed), static_cast<uint32_t>(seed >> 32)},
        counter_{0, static_cast<uint32_t>(trial), static_cast<uint32_t>(trial >> 32),
                 2 + (attempt << 8)} {}

  uint32_t Word() {
    if (used_ == words_.size()) {
      words_ = Philox4x32(counter_, key_);
      ++counter_[0];
      used_ = 0;
    }
    return words_[used_++];
  }
  // In [0, count). The bias of at most count 2^-32 does not matter here.
  int64_t Below(int64_t count) {
    return static_cast<int64_t>(uint64_t{Word()} * static_cast<uint64_t>(count) >> 32);
  }
  int64_t Between(int64_t least, int64_t most) { return least + Below(most - least + 1); }
  bool Once(int64_t in) { return Below(in) == 0; }
  template <typename List>
  const auto& Of(const List& list) {
    return *(list.begin() + Below(static_cast<int64_t>(list.size())));
  }

 private:
  std::array<uint32_t, 2> key_;
  std::array<uint32_t, 4> counter_;
  std::array<uint32_t, 4> words_ = {};
  size_t used_ = 4;
};

}  // namespace touchstone::fuzz
