// The threshold of the nucleus (rule N11), found digit by digit. B(x), the weight of the ranks
// above x, falls as x rises: kept are the ranks from the least x with B(x) <= limit up. The limit
// is top_p B(0), or 0 where that is below: B is 0 from the best rank up, so the first is kept.
#pragma once

#include "kernels/parts/block_scan.cuh"
#include "kernels/sampling/ranks.cuh"

namespace touchstone::kernels::sampling {

constexpr int kDigits = 5, kDigitBits = 11;  // of a rank, the highest first
constexpr int kBins = 1 << kDigitBits;
constexpr int kOwnBins = kBins / kThreads;
static_assert(kDigits * kDigitBits == kRankBits);

// Digit d of a rank, and what lies above it.
__device__ __forceinline__ int DigitShift(int d) { return (kDigits - 1 - d) * kDigitBits; }
__device__ __forceinline__ unsigned Digit(uint64_t rank, int d) {
  return static_cast<unsigned>(rank >> DigitShift(d)) % kBins;
}
__device__ __forceinline__ uint64_t AboveDigit(uint64_t rank, int d) {
  return rank >> (DigitShift(d) + kDigitBits);
}

struct BinsShared {
  Sum bin[kBins];
};

// bins[bin] += n for the lanes of the warp that count. Few bins hold most tokens, and lanes that
// add to one bin wait for each other: those of the first two bins that turn up are added up first.
__device__ inline void AddToBins(bool counts, unsigned bin, Sum n, Sum* bins) {
  const int lane = threadIdx.x % simt::kWarpSize;
  unsigned left = __ballot_sync(simt::kWholeWarp, counts);
  for (int round = 0; round < 2 && left != 0; ++round) {
    const int leader = __ffs(left) - 1;
    const unsigned led = __shfl_sync(simt::kWholeWarp, bin, leader);
    const bool joins = counts && bin == led;
    // 32 halves of 20 bits, and 32 of 21, stay below 2^32.
    const unsigned low = joins ? static_cast<unsigned>(n) & 0xfffff : 0;
    const unsigned high = joins ? static_cast<unsigned>(n >> 20) : 0;
    const Sum sum = (Sum{__reduce_add_sync(simt::kWholeWarp, high)} << 20) +
                    __reduce_add_sync(simt::kWholeWarp, low);
    if (lane == leader) atomicAdd(&bins[bin], sum);
    counts = counts && !joins;
    left = __ballot_sync(simt::kWholeWarp, counts);
  }
  if (counts) atomicAdd(&bins[bin], n);
}

// Where the search for the threshold stands after some digits.
struct Search {
  uint64_t rank;  // the digits so far, those below 0
  Sum above;      // B of the highest rank that shares them
  double limit;
};

struct SearchShared {
  BlockScanShared<kThreads> scan;
  Search found;
};

// The search of sequence blockIdx.x after digits 0 .. d, from the sums of digit d and the search
// before it; the sequence's first block writes it down. Bins are visited from the highest down,
// kOwnBins by a thread: the limit allows the first of them, up to the wanted one.
__device__ inline Search SearchAfter(int d, const Sum* bins, double top_p, Search* searches) {
  auto& shared = simt::Shared<SearchShared>();
  bins += (blockIdx.x * int64_t{kDigits} + d) * kBins;
  searches += blockIdx.x * int64_t{kDigits};
  const int top = kBins - 1 - static_cast<int>(threadIdx.x) * kOwnBins;
  Sum own = 0;
  for (int i = 0; i < kOwnBins; ++i) own += bins[top - i];
  const BlockScan scan = ScanBlock(own, shared.scan);

  Search search{0, 0, 0.0};
  if (d > 0) {
    search = searches[d - 1];
  } else if (const double limit = top_p * static_cast<double>(scan.all); limit > 0.0) {
    search.limit = limit;
  }
  Search result = search;
  int wanted = -1;
  Sum above = search.above + scan.before;
  for (int i = 0; i < kOwnBins; ++i) {
    if (static_cast<double>(above) <= search.limit) {
      wanted = top - i;
      result.above = above;
    }
    above += bins[top - i];
  }
  const bool last = threadIdx.x == kThreads - 1 || static_cast<double>(above) > search.limit;
  if (wanted >= 0 && last) {
    result.rank |= static_cast<uint64_t>(wanted) << DigitShift(d);
    shared.found = result;
    if (blockIdx.y == 0) searches[d] = result;
  }
  __syncthreads();
  return shared.found;
}

}  // namespace touchstone::kernels::sampling
