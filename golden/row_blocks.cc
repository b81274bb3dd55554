#include "golden/row_blocks.h"

#include <algorithm>

#include "reference/formats/require.h"

namespace touchstone::golden {

std::vector<int64_t> RowsShape(const std::vector<int64_t>& shape, int leading, int64_t first,
                               int64_t count) {
  TOUCHSTONE_REQUIRE(leading >= 1 && leading <= static_cast<int>(shape.size()));
  int64_t rows = 1;
  for (int axis = 0; axis < leading; ++axis) rows *= shape[static_cast<size_t>(axis)];
  TOUCHSTONE_REQUIRE(first >= 0 && count >= 0 && count <= rows && first <= rows - count);
  std::vector<int64_t> extents(shape.begin() + leading - 1, shape.end());
  extents[0] = count;
  return extents;
}

std::vector<RowBlock> BlocksOf(const std::vector<int64_t>& shape, int leading, int64_t first,
                               int64_t count) {
  // A block is a range of the last counting axis, at one place of the axes before it.
  const auto last = static_cast<size_t>(leading - 1);
  std::vector<RowBlock> blocks;
  while (count > 0) {
    RowBlock block{std::vector<hsize_t>(shape.size(), 0), {shape.begin(), shape.end()}, 0};
    int64_t rest = first;
    for (size_t axis = last + 1; axis-- > 0; rest /= shape[axis]) {
      block.start[axis] = static_cast<hsize_t>(rest % shape[axis]);
      block.extent[axis] = 1;
    }
    block.rows = std::min(count, shape[last] - first % shape[last]);
    block.extent[last] = static_cast<hsize_t>(block.rows);
    first += block.rows;
    count -= block.rows;
    blocks.push_back(std::move(block));
  }
  return blocks;
}

}  // namespace touchstone::golden
