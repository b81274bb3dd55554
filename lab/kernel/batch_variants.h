// Batch invariance: the rows of a case in other company. A row's bits must not depend on which rows
// it is computed with, how many, or in which order.
//
// The variants follow from OpSpec::rows alone: along that letter, rows are gathered in every
// argument that has it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "lab/judge.h"
#include "lab/spec.h"

namespace touchstone::lab {

struct Variant {
  std::string what;  // "rows reversed", "row t=2 alone"
  Case c;            // with another number of rows; its name does not make these inputs again
  Tensors inputs;
  std::vector<int64_t> rows;  // each row's index in the case; -1: a neighbour
};

// Empty where the op's rows depend on each other (rows == 0), the case has none, or another letter
// follows from their number. `inputs` are the case's tensors before the run.
std::vector<Variant> VariantsOf(const Case& c, const Tensors& inputs);

// How many rows of the case's own differ in a bit from `alone`, the outputs of the case itself; the
// first of them, at its place in the variant.
struct RowComparison {
  int64_t compared = 0, different = 0;
  std::optional<Difference> first;
};
RowComparison CompareRows(const Variant& variant, const Tensors& got, const Tensors& alone);

}  // namespace touchstone::lab
