// Verdict rules of published kernel harnesses, written again from their formulas, so that they can
// be tried on the faults and on the sound kernels on which our own verdict is tried. Where each
// comes from, and which of its numbers are constants of that harness, stands in the table.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "reference/formats/dtype.h"

namespace touchstone::lab {

// One output tensor of a case, as the rules see it.
struct JudgedOutput {
  Dtype dtype = Dtype::kF32;
  std::vector<double> got;
  std::vector<double> right;                // of the reference, stored in dtype
  std::vector<double> real;                 // without any rounding
  std::vector<double> magnitude;            // sum of |a b| of a contraction; empty: there is none
  double plain_error = 0.0;                 // largest error of a plain kernel of the same precision
  int64_t terms = 0;                        // of the contraction
  double largest_a = 0.0, largest_b = 0.0;  // of its operands
};

struct PublishedRule {
  std::string name, formula, source;
  bool contractions_only = false;
  bool (*accepts)(const JudgedOutput& output);
};

const std::vector<PublishedRule>& PublishedRules();

}  // namespace touchstone::lab
