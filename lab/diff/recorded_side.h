// One run of a recording, as a comparison reads it: a block of rows at a time.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "lab/recording/recording.h"

namespace touchstone::lab {

struct RecordedSide {
  const Recording& recording;
  const RecordedRun& run;

  bool Has(const std::string& path) const { return recording.Has(run, path); }
  Tensor Rows(const std::string& path, int64_t sequence, int64_t first, int64_t count) const {
    return recording.ReadTokens(run, path, sequence, first, count);
  }
  // The extents of one token.
  std::vector<int64_t> RowShape(const std::string& path) const {
    const Tensor row = Rows(path, 0, 0, 1);
    return {row.shape.begin() + 1, row.shape.end()};
  }
};

// The elements, exactly.
std::vector<double> Reals(const Tensor& rows);

// Calls visit(sequence, first token, count) over all tokens, in order, in blocks of rows of about a
// million elements.
void ForEachBlock(const TextInputs& inputs, int64_t row_elements,
                  const std::function<void(int64_t, int64_t, int64_t)>& visit);

}  // namespace touchstone::lab
