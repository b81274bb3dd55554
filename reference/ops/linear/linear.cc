#include "reference/ops/linear/linear.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

#include "reference/arithmetic/chain.h"
#include "reference/arithmetic/parallel.h"

namespace touchstone {
namespace {

// A row of outputs that are summed side by side; the contraction runs outside of it.
constexpr int64_t kRow = 64;
using Row = std::array<float, kRow>;

// [doc: op]
// The outputs y[t, first .. first + kRow).
template <typename Storage>
void LinearRow(View<const Storage, 'T', 'C'> x, View<const Storage, 'F', 'C'> weight,
               View<Storage, 'T', 'F'> y, int64_t first) {
  const int64_t T = x.shape[0], C = x.shape[1];
  const int64_t width = std::min(kRow, weight.shape[0] - first);
  std::vector<Row> total(static_cast<size_t>(T), Row{});
  std::vector<Row> slice(static_cast<size_t>(std::min(C, kSliceLength)), Row{});

  for (int64_t begin = 0; begin < C; begin += kSliceLength) {
    const int64_t end = std::min(C, begin + kSliceLength);

    // Widen the weights of this slice, with a row of outputs side by side.
    for (int64_t f = 0; f < width; ++f) {
      for (int64_t c = begin; c < end; ++c) {
        slice[static_cast<size_t>(c - begin)][static_cast<size_t>(f)] = Widen(weight(first + f, c));
      }
    }

    // Chain every output over the slice, c ascending, then add the slice's sum to the total.
    for (int64_t t = 0; t < T; ++t) {
      Row sum{};
      for (int64_t c = begin; c < end; ++c) {
        const float a = Widen(x(t, c));
        const Row& w = slice[static_cast<size_t>(c - begin)];
        for (size_t f = 0; f < kRow; ++f) sum[f] = std::fma(a, w[f], sum[f]);
      }
      Row& all = total[static_cast<size_t>(t)];
      for (size_t f = 0; f < kRow; ++f) all[f] = begin == 0 ? sum[f] : all[f] + sum[f];
    }
  }

  for (int64_t t = 0; t < T; ++t) {
    const Row& all = total[static_cast<size_t>(t)];
    for (int64_t f = 0; f < width; ++f) {
      y(t, first + f) = Narrow<Storage>(all[static_cast<size_t>(f)]);
    }
  }
}
// [doc: end op]

}  // namespace

template <typename Storage>
void Linear(View<const Storage, 'T', 'C'> x, View<const Storage, 'F', 'C'> weight,
            View<Storage, 'T', 'F'> y, int threads) {
  Extent<'T'>(x, y);
  Extent<'C'>(x, weight);
  const int64_t F = Extent<'F'>(weight, y);
  const int64_t rows = (F + kRow - 1) / kRow;
  ParallelFor(rows, threads, [&](int64_t row) { LinearRow(x, weight, y, row * kRow); });
}

template void Linear(View<const float, 'T', 'C'>, View<const float, 'F', 'C'>,
                     View<float, 'T', 'F'>, int);
template void Linear(View<const Bf16, 'T', 'C'>, View<const Bf16, 'F', 'C'>, View<Bf16, 'T', 'F'>,
                     int);

}  // namespace touchstone
