#include "reference/model/attention_part.h"

#include <numeric>

namespace touchstone {
namespace {

// (T, heads D) as (T, heads, D), and back: the same elements.
Tensor InHeads(Tensor x, int64_t D) {
  x.shape = {x.shape.at(0), x.shape.at(1) / D, D};
  return x;
}
Tensor Joined(Tensor x) {
  x.shape = {x.shape.at(0), x.shape.at(1) * x.shape.at(2)};
  return x;
}

template <typename Storage>
Tensor Rotated(const LayerPart& part, const Tensor& x, const Tensor& table) {
  Tensor y(kDtypeOf<Storage>, x.shape);
  part.backend.of<Storage>().rope(x.As<Storage, 'T', 'H', 'D'>(), table.As<float, 'T', 'J', '2'>(),
                                  y.As<Storage, 'T', 'H', 'D'>());
  return y;
}

template <typename Storage>
Tensor UnitHeads(const LayerPart& part, const Tensor& x) {
  Tensor y(kDtypeOf<Storage>, x.shape);
  part.backend.of<Storage>().qk_norm(x.As<Storage, 'T', 'H', 'D'>(),
                                     static_cast<float>(part.config.rms_norm_eps),
                                     y.As<Storage, 'T', 'H', 'D'>());
  return y;
}

template <typename Storage>
Tensor Heated(const LayerPart& part, const Tensor& q, const Tensor& positions) {
  const TextConfig& config = part.config;
  Tensor y(kDtypeOf<Storage>, q.shape);
  part.backend.of<Storage>().temperature(
      q.As<Storage, 'T', 'H', 'D'>(), positions.As<int64_t, 'T'>(),
      static_cast<float>(config.floor_scale), static_cast<float>(config.attn_scale),
      y.As<Storage, 'T', 'H', 'D'>());
  return y;
}

// The filled rows of a cache.
template <typename Storage>
View<const Storage, 'S', 'G', 'D'> Filled(const Tensor& cache, int64_t filled) {
  View<const Storage, 'S', 'G', 'D'> rows = cache.As<Storage, 'S', 'G', 'D'>();
  rows.shape[0] = filled;
  return rows;
}

}  // namespace

template <typename Storage>
Tensor AttentionPart(const LayerPart& part, const Tensor& x, const Tensor& table, KvCache* cache) {
  const TextConfig& config = part.config;
  const LayerWeights& w = part.weights;
  const int64_t T = x.shape.at(0), D = config.head_width, first = cache->filled;
  Tensor positions(Dtype::kI64, {T});
  std::iota(positions.values<int64_t>(), positions.values<int64_t>() + T, first);
  const auto show = [&part](const char* name, Tensor rows) {
    return part.Show(std::string("attention/") + name, std::move(rows));
  };

  Tensor q = show("q", InHeads(Project<Storage>(part, x, w.q), D));
  Tensor k = show("k", InHeads(Project<Storage>(part, x, w.k), D));
  const Tensor v = show("v", InHeads(Project<Storage>(part, x, w.v), D));

  if (config.layers.at(static_cast<size_t>(part.layer)).has_rope) {
    q = show("q_rope", Rotated<Storage>(part, q, table));
    k = show("k_rope", Rotated<Storage>(part, k, table));
  }
  if (HasQkNorm(config, part.layer)) {
    q = show("q_norm", UnitHeads<Storage>(part, q));
    k = show("k_norm", UnitHeads<Storage>(part, k));
  }
  if (HasTemperature(config, part.layer)) {
    q = show("q_temperature", Heated<Storage>(part, q, positions));
  }

  part.backend.of<Storage>().kv_append(
      std::as_const(k).As<Storage, 'T', 'G', 'D'>(), v.As<Storage, 'T', 'G', 'D'>(), first,
      cache->keys.As<Storage, 'S', 'G', 'D'>(), cache->values.As<Storage, 'S', 'G', 'D'>());
  cache->filled = first + T;

  Tensor heads(kDtypeOf<Storage>, q.shape);
  part.backend.of<Storage>().attention(
      std::as_const(q).As<Storage, 'T', 'H', 'D'>(), Filled<Storage>(cache->keys, cache->filled),
      Filled<Storage>(cache->values, cache->filled), std::as_const(positions).As<int64_t, 'T'>(),
      ChunkOf(config, part.layer), heads.As<Storage, 'T', 'H', 'D'>(), part.threads);
  heads = show("heads", std::move(heads));
  return show("output", Project<Storage>(part, Joined(std::move(heads)), w.o));
}

template Tensor AttentionPart<float>(const LayerPart&, const Tensor&, const Tensor&, KvCache*);
template Tensor AttentionPart<Bf16>(const LayerPart&, const Tensor&, const Tensor&, KvCache*);

}  // namespace touchstone
