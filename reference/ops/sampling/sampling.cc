#include "reference/ops/sampling/sampling.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include "reference/arithmetic/functions.h"
#include "reference/formats/philox.h"

namespace touchstone {
namespace {

using Row = View<const float, 'B', 'V'>;

// The upper half of the 128-bit product, from 32-bit parts.
uint64_t HighProduct(uint64_t a, uint64_t b) {
  const uint64_t a0 = a & 0xffffffff, a1 = a >> 32, b0 = b & 0xffffffff, b1 = b >> 32;
  const uint64_t low = a0 * b0 >> 32;
  const uint64_t middle0 = a1 * b0 + low;
  const uint64_t middle1 = a0 * b1 + (middle0 & 0xffffffff);
  return a1 * b1 + (middle0 >> 32) + (middle1 >> 32);
}

// [doc: weights]
// n of every token: its weight as an integer, 2^40 for the best.
std::vector<uint64_t> Weights(const Row& logits, int64_t b, float temperature) {
  const int64_t V = logits.shape[1];
  float best = logits(b, 0) / temperature;
  for (int64_t v = 1; v < V; ++v) best = std::max(best, logits(b, v) / temperature);
  TOUCHSTONE_REQUIRE(std::isfinite(best));

  std::vector<uint64_t> n;
  for (int64_t v = 0; v < V; ++v) {
    const float e = Exp(logits(b, v) / temperature - best);
    n.push_back(static_cast<uint64_t>(std::floor(static_cast<double>(e) * 0x1p40)));
  }
  return n;
}
// [doc: end weights]

// [doc: nucleus]
std::vector<bool> Nucleus(const Row& logits, int64_t b, const std::vector<uint64_t>& n,
                          double top_p) {
  std::vector<int64_t> ranked(n.size());
  std::iota(ranked.begin(), ranked.end(), 0);
  std::stable_sort(ranked.begin(), ranked.end(),
                   [&](int64_t i, int64_t j) { return logits(b, i) > logits(b, j); });
  const uint64_t all = std::accumulate(n.begin(), n.end(), uint64_t{0});

  std::vector<bool> kept(n.size(), false);
  uint64_t before = 0;
  for (const int64_t v : ranked) {
    const bool inside = static_cast<double>(before) <= top_p * static_cast<double>(all);
    kept[static_cast<size_t>(v)] = inside || v == ranked[0];
    before += n[static_cast<size_t>(v)];
  }
  return kept;
}
// [doc: end nucleus]

// [doc: draw]
int64_t Draw(const std::vector<uint64_t>& n, const std::vector<bool>& kept, int64_t position,
             uint64_t seed) {
  uint64_t sum = 0;
  for (size_t v = 0; v < n.size(); ++v) sum += kept[v] ? n[v] : 0;
  const auto w = Philox4x32({static_cast<uint32_t>(position), 0, 0, 1},
                            {static_cast<uint32_t>(seed), static_cast<uint32_t>(seed >> 32)});
  const uint64_t u = uint64_t{w[1]} << 32 | w[0];
  const uint64_t r = HighProduct(u, sum);

  uint64_t prefix = 0;
  for (size_t v = 0; v < n.size(); ++v) {
    prefix += kept[v] ? n[v] : 0;
    if (prefix > r) return static_cast<int64_t>(v);
  }
  throw ContractViolation("sampling: r < sum of kept weights always finds a token");
}
// [doc: end draw]

int64_t Greedy(const Row& logits, int64_t b) {
  int64_t best = 0;
  for (int64_t v = 1; v < logits.shape[1]; ++v) {
    if (logits(b, v) > logits(b, best)) best = v;
  }
  return best;
}

}  // namespace

// [doc: op]
void Sampling(View<const float, 'B', 'V'> logits, View<const int64_t, 'B'> positions,
              const SamplingChoice& choice, View<int64_t, 'B'> taken) {
  const int64_t B = Extent<'B'>(logits, positions, taken);
  const int64_t V = Extent<'V'>(logits);
  const float temperature = static_cast<float>(choice.temperature);  // N12
  TOUCHSTONE_REQUIRE(0 < V && V < (int64_t{1} << 23));  // sums of weights stay below 2^64
  TOUCHSTONE_REQUIRE(choice.temperature >= 0.0 && std::isfinite(temperature));
  TOUCHSTONE_REQUIRE(choice.temperature == 0.0 || temperature > 0.0f);
  TOUCHSTONE_REQUIRE(!std::isnan(choice.top_p));
  for (int64_t b = 0; b < B; ++b) {
    TOUCHSTONE_REQUIRE(0 <= positions(b) && positions(b) < (int64_t{1} << 32));
    for (int64_t v = 0; v < V; ++v) TOUCHSTONE_REQUIRE(!std::isnan(logits(b, v)));
  }

  for (int64_t b = 0; b < B; ++b) {
    if (choice.temperature == 0.0) {
      taken(b) = Greedy(logits, b);
      continue;
    }
    const std::vector<uint64_t> n = Weights(logits, b, temperature);
    const std::vector<bool> kept = Nucleus(logits, b, n, choice.top_p);
    taken(b) = Draw(n, kept, positions(b), choice.seed + static_cast<uint64_t>(b));
  }
}
// [doc: end op]

}  // namespace touchstone
