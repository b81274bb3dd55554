// Makes trials of an op from its spec alone: sizes, recipe, attributes, input class and values at
// once, biased to edges.
//
// A trial starts from a line of the op's case list and moves away from it. What holds between
// letters (D even, H a multiple of G, A <= E) is not written in a spec, and is found in two ways: a
// trial that breaks an op's contract throws ContractViolation in the reference, is counted and made
// again by the next attempt; and from the second attempt on, sizes keep the relations that all
// lines of the list have.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "fuzz/search/draws.h"
#include "fuzz/search/trial.h"
#include "lab/spec.h"

namespace touchstone::fuzz {

class Generator {
 public:
  // After so many invalid attempts a trial is given up.
  static constexpr uint32_t kAttempts = 12;

  // Recipes: those to draw from, of the op's.
  Generator(const lab::OpSpec& op, std::vector<Dtype> recipes);

  const lab::OpSpec& op() const { return *op_; }
  const std::vector<Dtype>& recipes() const { return recipes_; }

  // Trial `index` of a seed. Throws ContractViolation where this attempt is no valid input.
  Trial Make(uint64_t seed, uint64_t index, uint32_t attempt) const;

  // The same case in other sizes or attributes, with the values of its class. Throws
  // ContractViolation where it is no valid input of the op's fill.
  static Trial OfClass(lab::Case c, lab::Poison poison);

  // Whether the letters that are 0 are also 0 together in a line of the op's list with this class,
  // or both classes are general ones: fills and formulas count on the others.
  bool ZerosAreListed(const lab::Case& c) const;

 private:
  lab::Sizes DrawSizes(const lab::Sizes& row, Draws* draws) const;
  void DrawAttributes(lab::Attributes* attributes, Draws* draws) const;
  void KeepRelations(Draws* draws, lab::Case* c) const;
  void FindRelations();

  const lab::OpSpec* op_;
  std::vector<Dtype> recipes_;
  std::vector<lab::Case> rows_;
  std::vector<std::string> classes_;
  std::map<char, std::vector<int64_t>> listed_;             // sizes of each letter
  std::map<char, int64_t> unit_;                            // of which all its sizes are multiples
  std::vector<std::pair<char, char>> multiples_, at_most_;  // of the second; the second
  std::map<std::string, std::vector<double>> listed_values_;  // of attributes that vary
  // An attribute and a letter that are together at most another letter: first + T <= S.
  struct Room {
    std::string attribute;
    char taken, all;
  };
  std::vector<Room> rooms_;
  std::set<std::pair<std::string, std::string>> zeros_;  // class ("": general), letters
};

}  // namespace touchstone::fuzz
