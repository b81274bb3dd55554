// Consecutive rows of a tensor as the rectangular blocks that the HDF5 library can select.
#pragma once

#include <hdf5.h>

#include <cstdint>
#include <vector>

namespace touchstone::golden {

struct RowBlock {
  std::vector<hsize_t> start, extent;  // one number an axis of the tensor
  int64_t rows = 0;
};

// (count, extents after the first `leading`). Throws ContractViolation where `leading` is not from
// 1 to the rank, or a row is not there.
std::vector<int64_t> RowsShape(const std::vector<int64_t>& shape, int leading, int64_t first,
                               int64_t count);

// Blocks that together are rows first to first + count - 1, in order; RowsShape has no objection.
std::vector<RowBlock> BlocksOf(const std::vector<int64_t>& shape, int leading, int64_t first,
                               int64_t count);

}  // namespace touchstone::golden
