// A cache of keys or values in pages: position p of a sequence lies in page table[p / 16] of a
// pool, row p % 16. Pages of one sequence lie anywhere in the pool, so that a cache grows a page at
// a time and sequences of any length share one pool.
//
// PagedPool makes such a cache from a contiguous one and back, its pages in an order that is not
// theirs, and in another one for values than for keys. A paged kernel is tried that way by the
// cases of its op.
#pragma once

#include <cstdint>
#include <vector>

#include "kernels/simt/simt.cuh"
#include "reference/formats/view.h"

namespace touchstone::kernels {

constexpr int64_t kPagePositions = 16;

// What a kernel is given; rows hold G D values.
template <typename Storage>
struct PagedCache {
  Storage* pool;
  const int32_t* table;  // of the sequence, one entry a page
  int64_t row;           // values

  __device__ __forceinline__ Storage* Row(int64_t position) const {
    const int64_t slot = table[position / kPagePositions] * kPagePositions;
    return pool + (slot + position % kPagePositions) * row;
  }
};

// One block a position: its row goes from the contiguous cache to its page, or back.
template <typename Storage>
__global__ void ScatterRows(const Storage* rows, PagedCache<Storage> cache) {
  Storage* to = cache.Row(blockIdx.x);
  for (int64_t i = threadIdx.x; i < cache.row; i += blockDim.x)
    to[i] = rows[blockIdx.x * cache.row + i];
}
template <typename Storage>
__global__ void GatherRows(PagedCache<Storage> cache, Storage* rows) {
  const Storage* from = cache.Row(blockIdx.x);
  for (int64_t i = threadIdx.x; i < cache.row; i += blockDim.x)
    rows[blockIdx.x * cache.row + i] = from[i];
}

// Host side. Holds the pages of one cache of S positions. The pages before them are nobody's, one
// or two and as many more as are asked for: an even number.
template <typename Storage>
class PagedPool {
 public:
  PagedPool(int64_t positions, int64_t row, int64_t more_before)
      : positions_(positions),
        row_(row),
        more_before_(more_before),
        table_(Pages()),
        pool_((LastPlace() + 1) * kPagePositions * row) {
    // Last page first: page p lies at an odd number less p, so never at p, where a kernel that does
    // not read the table would find it.
    std::vector<int32_t> order(static_cast<size_t>(Pages()));
    for (int64_t page = 0; page < Pages(); ++page) {
      order[static_cast<size_t>(page)] = static_cast<int32_t>(LastPlace() - page);
    }
    if (Pages() > 0) {
      simt::CopyToDevice(table_.data(), order.data(), order.size() * sizeof(int32_t));
    }
  }

  PagedCache<Storage> cache() const { return {pool_.data(), table_.data(), row_}; }

  void Fill(const Storage* rows) const {
    if (positions_ * row_ == 0) return;
    simt::Launch(Config(), ScatterRows<Storage>, rows, cache());
  }
  void Return(Storage* rows) const {
    if (positions_ * row_ == 0) return;
    simt::Launch(Config(), GatherRows<Storage>, cache(), rows);
  }

 private:
  int64_t Pages() const { return (positions_ + kPagePositions - 1) / kPagePositions; }
  int64_t LastPlace() const { return (Pages() | 1) + more_before_; }
  simt::LaunchConfig Config() const {
    return {.grid = dim3(simt::BlocksFor(positions_, 1)), .block = dim3(128)};
  }

  int64_t positions_, row_, more_before_;
  simt::DeviceBuffer<int32_t> table_;
  simt::DeviceBuffer<Storage> pool_;
};

}  // namespace touchstone::kernels
