#include "reference/ops/kv_append/kv_append.h"

namespace touchstone {

// [doc: op]
template <typename Storage>
void KvAppend(View<const Storage, 'T', 'G', 'D'> k, View<const Storage, 'T', 'G', 'D'> v,
              int64_t first, View<Storage, 'S', 'G', 'D'> keys,
              View<Storage, 'S', 'G', 'D'> values) {
  const int64_t T = Extent<'T'>(k, v);
  const int64_t S = Extent<'S'>(keys, values);
  const int64_t G = Extent<'G'>(k, v, keys, values);
  const int64_t D = Extent<'D'>(k, v, keys, values);
  TOUCHSTONE_REQUIRE(0 <= first && first <= S - T);

  for (int64_t t = 0; t < T; ++t) {
    for (int64_t g = 0; g < G; ++g) {
      for (int64_t d = 0; d < D; ++d) {
        keys(first + t, g, d) = k(t, g, d);
        values(first + t, g, d) = v(t, g, d);
      }
    }
  }
}
// [doc: end op]

template void KvAppend(View<const float, 'T', 'G', 'D'>, View<const float, 'T', 'G', 'D'>, int64_t,
                       View<float, 'S', 'G', 'D'>, View<float, 'S', 'G', 'D'>);
template void KvAppend(View<const Bf16, 'T', 'G', 'D'>, View<const Bf16, 'T', 'G', 'D'>, int64_t,
                       View<Bf16, 'S', 'G', 'D'>, View<Bf16, 'S', 'G', 'D'>);

}  // namespace touchstone
