// Tiles over rows that are sorted into groups (op dispatch), the groups' offsets on the device: a
// tile lies within one group, so a group of no rows has none. A grid is sized by RaggedTiles, which
// no offsets surpass; blocks beyond the last tile get one without rows.
#pragma once

#include <algorithm>
#include <cstdint>

#include "kernels/simt/simt.cuh"

namespace touchstone::kernels {

struct RaggedTile {
  int64_t group;
  int64_t row;  // the first
  int rows;     // 0: there is no such tile
};

// Host side: no fewer than the tiles of `height` rows of any G groups with R rows together.
inline int64_t RaggedTiles(int64_t R, int64_t G, int64_t height) {
  return std::min(R, (R + G * (height - 1)) / height);
}

// Tile `tile` of those of all groups, in order. A whole warp calls it, and all lanes get the same.
// Group g owns the rows [offsets[g], offsets[g + 1]) of R; offsets that start elsewhere than at 0,
// fall, or end elsewhere than at R end the launch with an error.
__device__ inline RaggedTile FindRaggedTile(const int64_t* offsets, int64_t G, int64_t R,
                                            int64_t tile, int height) {
  const int lane = threadIdx.x % simt::kWarpSize;
  simt::Require(offsets[0] == 0 && offsets[G] == R);
  RaggedTile found{0, 0, 0};
  int64_t before = 0;  // tiles of earlier groups
  for (int64_t first = 0; first < G; first += simt::kWarpSize) {
    // A lane a group; `end` of the lanes counts tiles up to the lane's last.
    const int64_t g = first + lane;
    const int64_t row = g < G ? offsets[g] : R;
    const int64_t row_end = g < G ? offsets[g + 1] : R;
    simt::Require(row <= row_end);
    const int64_t tiles = (row_end - row + height - 1) / height;
    int64_t end = tiles;
    for (int apart = 1; apart < 32; apart *= 2) {
      const int64_t left = __shfl_up_sync(simt::kWholeWarp, end, apart);
      if (lane >= apart) end += left;
    }
    const int64_t at = tile - before;
    const int owner = __ffs(__ballot_sync(simt::kWholeWarp, at < end)) - 1;
    if (owner >= 0) {
      const int64_t mine = row + (at - (end - tiles)) * height;
      found.group = first + owner;
      found.row = __shfl_sync(simt::kWholeWarp, mine, owner);
      const int64_t rows = __shfl_sync(simt::kWholeWarp, row_end, owner) - found.row;
      found.rows = static_cast<int>(std::min<int64_t>(rows, height));
      break;
    }
    before += __shfl_sync(simt::kWholeWarp, end, 31);
  }
  return found;
}

// The same for a whole block, in its shared memory: registers need not hold it.
__device__ inline const RaggedTile& ShareRaggedTile(const int64_t* offsets, int64_t G, int64_t R,
                                                    int64_t tile, int height) {
  auto& shared = simt::Shared<RaggedTile>();
  if (threadIdx.x < simt::kWarpSize) {
    const RaggedTile found = FindRaggedTile(offsets, G, R, tile, height);
    if (threadIdx.x == 0) shared = found;
  }
  __syncthreads();
  return shared;
}

}  // namespace touchstone::kernels
