#include "reference/ops/logits/logits.h"

#include <vector>

#include "reference/ops/linear/linear.h"

namespace touchstone {

// [doc: op]
template <typename Storage>
void Logits(View<const Storage, 'T', 'C'> x, View<const Storage, 'V', 'C'> weight,
            View<float, 'T', 'V'> y, int threads) {
  const int64_t T = Extent<'T'>(x, y);
  const int64_t C = Extent<'C'>(x, weight);
  const int64_t V = Extent<'V'>(weight, y);

  std::vector<Storage> rounded(static_cast<size_t>(T * V));
  const auto stored = Packed<'T', 'F'>(rounded.data(), T, V);
  const View<const Storage, 'F', 'C'> rows{weight.data, {V, C}, weight.stride};
  Linear<Storage>(x, rows, stored, threads);

  for (int64_t t = 0; t < T; ++t) {
    for (int64_t v = 0; v < V; ++v) y(t, v) = Widen(stored(t, v));
  }
}
// [doc: end op]

template void Logits(View<const float, 'T', 'C'>, View<const float, 'V', 'C'>,
                     View<float, 'T', 'V'>, int);
template void Logits(View<const Bf16, 'T', 'C'>, View<const Bf16, 'V', 'C'>, View<float, 'T', 'V'>,
                     int);

}  // namespace touchstone
