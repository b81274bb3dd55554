// Sampling without a sort: the nucleus is the tokens from a threshold rank up, and the threshold is
// found digit by digit from exact sums of weights. A block of 256 threads has 2048 ids.
// architectures: 80 90 100
//
//   rank      55 bits: OrderKey(logit), then the complement of the id; no two tokens share one
//   Best      the largest rank of every block's ids; Greedy takes the largest of them
//   Descend   a launch a digit of 11 bits: sums the weights by this digit among the ranks that
//             share the threshold's digits above, of which it finds the last from the sums of the
//             launch before (threshold.cuh). The first launch weighs the tokens
//   Keep      the kept weight of every block's ids
//   Draw      the ids among which the draw falls, then the token
//
// Sums of integers are exact: neither their order nor that of atomics reaches a bit.
#include <cmath>

#include "kernels/parts/block_scan.cuh"
#include "kernels/parts/dense.h"
#include "kernels/sampling/ranks.cuh"
#include "kernels/sampling/threshold.cuh"
#include "kernels/simt/simt.cuh"
#include "reference/formats/philox.h"
#include "reference/ops/sampling/sampling.h"

namespace touchstone::kernels::sampling {
namespace {

constexpr int kOwnIds = 8, kIds = kThreads * kOwnIds;  // of a thread and of a block

// Grids are (B, pieces), piece p of a sequence being its ids from p kIds on; or (B).
struct Arguments {
  const float* logits;
  const int64_t* positions;
  int64_t V, pieces;
  float temperature;
  double top_p;
  uint64_t seed;
  uint64_t* best;  // (B, pieces)
  Sum* weights;    // (B, V)
  Sum* bins;       // (B, kDigits, kBins): the weight of each value of each digit
  Search* search;  // (B, kDigits)
  Sum* kept;       // (B, pieces)
  int64_t* taken;  // (B)
};

struct DrawShared {
  BlockScanShared<kThreads> scan;
  int64_t piece;
  Sum draw;
};

__global__ void __launch_bounds__(kThreads) Best(const Arguments in) {
  const int64_t b = blockIdx.x, first = int64_t{blockIdx.y} * kIds;
  uint64_t best = 0;
  for (int64_t v = first + threadIdx.x; v < std::min(in.V, first + kIds); v += kThreads) {
    const float logit = in.logits[b * in.V + v];
    simt::Require(logit == logit);
    best = std::max(best, Rank(logit, v));
  }
  best = BlockMaximum(best);
  if (threadIdx.x == 0) {
    simt::Require(0 <= in.positions[b] && in.positions[b] < int64_t{1} << 32);
    in.best[b * in.pieces + blockIdx.y] = best;
  }
  if (in.temperature == 0.0f) return;  // greedy
  for (int64_t i = blockIdx.y * kThreads + threadIdx.x; i < kDigits * kBins;
       i += in.pieces * kThreads) {
    in.bins[b * kDigits * kBins + i] = 0;
  }
}

// The largest rank of the block's sequence.
__device__ uint64_t BestRank(const Arguments& in) {
  uint64_t best = 0;
  for (int64_t p = threadIdx.x; p < in.pieces; p += kThreads) {
    best = std::max(best, in.best[blockIdx.x * in.pieces + p]);
  }
  return BlockMaximum(best);
}

__global__ void __launch_bounds__(kThreads) Greedy(const Arguments in) {
  const uint64_t best = BestRank(in);
  if (threadIdx.x == 0) in.taken[blockIdx.x] = IdOfRank(best);
}

__global__ void __launch_bounds__(kThreads) Descend(const Arguments in, int d) {
  Sum* bins = simt::Shared<BinsShared>().bin;
  const int64_t b = blockIdx.x, first = int64_t{blockIdx.y} * kIds;
  const float* logits = in.logits + b * in.V;
  Sum* weights = in.weights + b * in.V;
  for (int i = threadIdx.x; i < kBins; i += kThreads) bins[i] = 0;

  uint64_t prefix = 0;
  float best = 0.0f;
  if (d == 0) {  // both ways lead through a barrier: the bins are empty
    best = logits[IdOfRank(BestRank(in))] / in.temperature;
    simt::Require(std::isfinite(best));
  } else {
    prefix = AboveDigit(SearchAfter(d - 1, in.bins, in.top_p, in.search).rank, d);
  }

  for (int64_t i = first; i < std::min(in.V, first + kIds); i += kThreads) {
    const int64_t v = i + threadIdx.x;
    const uint64_t rank = v < in.V ? Rank(logits[v], v) : 0;
    if (d == 0 && v < in.V) weights[v] = Weight(logits[v] / in.temperature - best);
    const bool counts = v < in.V && AboveDigit(rank, d) == prefix;
    AddToBins(counts, Digit(rank, d), counts ? weights[v] : 0, bins);
  }
  __syncthreads();
  for (int i = threadIdx.x; i < kBins; i += kThreads) {
    if (bins[i] != 0) atomicAdd(&in.bins[(b * kDigits + d) * kBins + i], bins[i]);
  }
}

// The weight of token v if it is kept, else 0.
__device__ Sum KeptWeight(const Arguments& in, int64_t v, uint64_t threshold) {
  if (v >= in.V || Rank(in.logits[blockIdx.x * in.V + v], v) < threshold) return 0;
  return in.weights[blockIdx.x * in.V + v];
}

__global__ void __launch_bounds__(kThreads) Keep(const Arguments in) {
  const uint64_t threshold = SearchAfter(kDigits - 1, in.bins, in.top_p, in.search).rank;
  Sum own = 0;
  for (int k = 0; k < kOwnIds; ++k) {
    own += KeptWeight(in, int64_t{blockIdx.y} * kIds + k * kThreads + threadIdx.x, threshold);
  }
  const Sum all = ScanBlock(own, simt::Shared<DrawShared>().scan).all;
  if (threadIdx.x == 0) in.kept[blockIdx.x * in.pieces + blockIdx.y] = all;
}

__global__ void __launch_bounds__(kThreads) Draw(const Arguments in) {
  auto& shared = simt::Shared<DrawShared>();
  const int64_t b = blockIdx.x;
  const Sum* kept = in.kept + b * in.pieces;
  const int64_t most = (in.pieces + kThreads - 1) / kThreads;  // of a thread
  const int64_t begin = std::min(in.pieces, threadIdx.x * most);
  const int64_t end = std::min(in.pieces, begin + most);
  Sum own = 0;
  for (int64_t p = begin; p < end; ++p) own += kept[p];
  const BlockScan pieces = ScanBlock(own, shared.scan);
  const uint64_t seed = in.seed + static_cast<uint64_t>(b);
  const auto w = Philox4x32({static_cast<uint32_t>(in.positions[b]), 0, 0, 1},
                            {static_cast<uint32_t>(seed), static_cast<uint32_t>(seed >> 32)});
  const Sum draw = HighProduct(uint64_t{w[1]} << 32 | w[0], pieces.all);
  Sum prefix = pieces.before;
  for (int64_t p = begin; p < end; ++p) {
    if (prefix <= draw && draw < prefix + kept[p]) {
      shared.piece = p;
      shared.draw = draw - prefix;
    }
    prefix += kept[p];
  }
  __syncthreads();

  const uint64_t threshold = in.search[b * kDigits + kDigits - 1].rank;
  const int64_t first = shared.piece * kIds + threadIdx.x * kOwnIds;
  own = 0;
  for (int k = 0; k < kOwnIds; ++k) own += KeptWeight(in, first + k, threshold);
  prefix = ScanBlock(own, shared.scan).before;
  for (int k = 0; k < kOwnIds; ++k) {
    const Sum n = KeptWeight(in, first + k, threshold);
    if (prefix <= shared.draw && shared.draw < prefix + n) in.taken[b] = first + k;
    prefix += n;
  }
}

}  // namespace

void radix_select(View<const float, 'B', 'V'> logits, View<const int64_t, 'B'> positions,
                  const SamplingChoice& choice, View<int64_t, 'B'> taken) {
  const int64_t B = Extent<'B'>(logits, positions, taken), V = Extent<'V'>(logits);
  const float temperature = static_cast<float>(choice.temperature);  // N12
  TOUCHSTONE_REQUIRE(0 < V && V < int64_t{1} << kIdBits);
  TOUCHSTONE_REQUIRE(choice.temperature >= 0.0 && std::isfinite(temperature));
  TOUCHSTONE_REQUIRE(choice.temperature == 0.0 || temperature > 0.0f);
  TOUCHSTONE_REQUIRE(!std::isnan(choice.top_p));
  if (B == 0) return;

  const unsigned pieces = simt::BlocksFor(V, kIds), sequences = simt::BlocksFor(B, 1);
  const simt::LaunchConfig by_piece{.grid = dim3(sequences, pieces), .block = dim3(kThreads)};
  const simt::LaunchConfig by_sequence{.grid = dim3(sequences), .block = dim3(kThreads)};

  const bool greedy = choice.temperature == 0.0;
  const int64_t drawn = greedy ? 0 : B;
  const simt::DeviceBuffer<uint64_t> best(B * pieces);
  const simt::DeviceBuffer<Sum> weights(drawn * V), kept(drawn * pieces),
      bins(drawn * kDigits * kBins);
  const simt::DeviceBuffer<Search> search(drawn * kDigits);
  const Arguments in{Dense(logits), Dense(positions), V,           pieces,         temperature,
                     choice.top_p,  choice.seed,      best.data(), weights.data(), bins.data(),
                     search.data(), kept.data(),      Dense(taken)};

  simt::Launch(by_piece, Best, in);
  if (greedy) return simt::Launch(by_sequence, Greedy, in);
  for (int d = 0; d < kDigits; ++d) simt::Launch(by_piece, Descend, in, d);
  simt::Launch(by_piece, Keep, in);
  simt::Launch(by_sequence, Draw, in);
}

}  // namespace touchstone::kernels::sampling
