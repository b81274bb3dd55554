#include "reference/ops/embedding/embedding.h"

namespace touchstone {

// [doc: op]
template <typename Storage>
void Embedding(View<const int64_t, 'T'> ids, View<const Storage, 'V', 'C'> table,
               View<Storage, 'T', 'C'> h) {
  const int64_t T = Extent<'T'>(ids, h);
  const int64_t V = Extent<'V'>(table);
  const int64_t C = Extent<'C'>(table, h);
  for (int64_t t = 0; t < T; ++t) TOUCHSTONE_REQUIRE(0 <= ids(t) && ids(t) < V);

  for (int64_t t = 0; t < T; ++t) {
    for (int64_t c = 0; c < C; ++c) h(t, c) = table(ids(t), c);
  }
}
// [doc: end op]

template void Embedding(View<const int64_t, 'T'>, View<const float, 'V', 'C'>,
                        View<float, 'T', 'C'>);
template void Embedding(View<const int64_t, 'T'>, View<const Bf16, 'V', 'C'>, View<Bf16, 'T', 'C'>);

}  // namespace touchstone
