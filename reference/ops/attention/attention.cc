#include "reference/ops/attention/attention.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "reference/arithmetic/chain.h"
#include "reference/arithmetic/functions.h"
#include "reference/arithmetic/lanes.h"
#include "reference/arithmetic/parallel.h"

namespace touchstone {
namespace {

constexpr int64_t kBlock = 512;  // positions

// The softmax of some keys, not yet divided: weights are relative to exp(m).
struct Partial {
  float m;               // the largest score
  float l;               // the sum of the weights
  std::vector<float> o;  // the weighted sum of the values, (D)
};

// [doc: block]
// score(j) and value(j, d) over j in [begin, end), which is not empty.
template <typename Score, typename Value>
Partial Block(int64_t begin, int64_t end, int64_t D, Score score, Value value) {
  std::vector<float> s;
  for (int64_t j = begin; j < end; ++j) s.push_back(score(j));

  Partial b{s[0], 0.0f, std::vector<float>(static_cast<size_t>(D), 0.0f)};
  for (const float s_j : s) b.m = Maximum(b.m, s_j);
  for (int64_t j = begin; j < end; ++j) {
    const float p = Exp(s[static_cast<size_t>(j - begin)] - b.m);
    b.l = b.l + p;
    for (int64_t d = 0; d < D; ++d) {
      float& o = b.o[static_cast<size_t>(d)];
      o = std::fma(p, value(j, d), o);
    }
  }
  return b;
}
// [doc: end block]

// [doc: merge]
void Merge(Partial& all, const Partial& b) {
  const float n = Maximum(all.m, b.m);
  const float a = Exp(all.m - n);
  const float c = Exp(b.m - n);
  all.l = all.l * a + b.l * c;
  for (size_t d = 0; d < all.o.size(); ++d) all.o[d] = all.o[d] * a + b.o[d] * c;
  all.m = n;
}
// [doc: end merge]

}  // namespace

// [doc: op]
template <typename Storage>
void Attention(View<const Storage, 'T', 'H', 'D'> q, View<const Storage, 'S', 'G', 'D'> keys,
               View<const Storage, 'S', 'G', 'D'> values, View<const int64_t, 'T'> positions,
               int64_t chunk, View<Storage, 'T', 'H', 'D'> y, int threads) {
  const int64_t T = Extent<'T'>(q, positions, y), S = Extent<'S'>(keys, values);
  const int64_t H = Extent<'H'>(q, y), G = Extent<'G'>(keys, values);
  const int64_t D = Extent<'D'>(q, keys, values, y);
  TOUCHSTONE_REQUIRE(D > 0 && G > 0 && H % G == 0 && chunk >= 0);
  for (int64_t t = 0; t < T; ++t) TOUCHSTONE_REQUIRE(positions(t) >= 0);
  const float scale = static_cast<float>(1.0 / std::sqrt(static_cast<double>(D)));  // N12

  ParallelFor(T * H, threads, [&](int64_t i) {
    const int64_t t = i / H, h = i % H, g = h / (H / G);
    const int64_t first = chunk > 0 ? positions(t) / chunk * chunk : 0;
    const int64_t end = positions(t) < S ? positions(t) + 1 : S;
    const auto score = [&](int64_t j) {
      const auto query = [&](int64_t d) { return Widen(q(t, h, d)); };
      const auto key = [&](int64_t d) { return Widen(keys(j, g, d)); };
      return Chain(D, query, key) * scale;
    };
    const auto value = [&](int64_t j, int64_t d) { return Widen(values(j, g, d)); };

    Partial all{0.0f, 0.0f, {}};  // no block yet
    for (int64_t begin = first; begin < end;) {
      const int64_t next = std::min(end, (begin / kBlock + 1) * kBlock);
      Partial block = Block(begin, next, D, score, value);
      if (all.o.empty()) {
        all = std::move(block);
      } else {
        Merge(all, block);
      }
      begin = next;
    }

    for (int64_t d = 0; d < D; ++d) {
      y(t, h, d) = Narrow<Storage>(all.o.empty() ? 0.0f : all.o[static_cast<size_t>(d)] / all.l);
    }
  });
}
// [doc: end op]

template void Attention(View<const float, 'T', 'H', 'D'>, View<const float, 'S', 'G', 'D'>,
                        View<const float, 'S', 'G', 'D'>, View<const int64_t, 'T'>, int64_t,
                        View<float, 'T', 'H', 'D'>, int);
template void Attention(View<const Bf16, 'T', 'H', 'D'>, View<const Bf16, 'S', 'G', 'D'>,
                        View<const Bf16, 'S', 'G', 'D'>, View<const int64_t, 'T'>, int64_t,
                        View<Bf16, 'T', 'H', 'D'>, int);

}  // namespace touchstone
