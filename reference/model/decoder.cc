#include "reference/model/decoder.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "reference/formats/by_storage.h"
#include "reference/model/activation_paths.h"
#include "reference/model/attention_part.h"
#include "reference/model/feed_forward_part.h"
#include "reference/ops/rope_frequencies/rope_frequencies.h"
#include "reference/ops/rope_table/rope_table.h"

namespace touchstone {
namespace {

// Rows of lm_head that are held at once: memory, never a bit.
constexpr int64_t kLogitRows = 4096;

template <typename Storage>
Tensor EmbeddingOf(const Backend& backend, const std::vector<int64_t>& ids, TextWeights* weights) {
  // Only the rows that are asked for are read; the ids become indices into those.
  std::vector<int64_t> distinct = ids;
  std::sort(distinct.begin(), distinct.end());
  distinct.erase(std::unique(distinct.begin(), distinct.end()), distinct.end());
  const Tensor table = weights->EmbeddingRows(distinct);
  Tensor rows(Dtype::kI64, {static_cast<int64_t>(ids.size())});
  for (size_t t = 0; t < ids.size(); ++t) {
    rows.values<int64_t>()[t] =
        std::lower_bound(distinct.begin(), distinct.end(), ids[t]) - distinct.begin();
  }
  Tensor h(kDtypeOf<Storage>, {rows.shape[0], table.shape[1]});
  backend.of<Storage>().embedding(std::as_const(rows).As<int64_t, 'T'>(),
                                  table.As<Storage, 'V', 'C'>(), h.As<Storage, 'T', 'C'>());
  return h;
}

template <typename Storage>
Tensor Norm(const Backend& backend, const Tensor& x, const Tensor& weight,
            const TextConfig& config) {
  Tensor y(kDtypeOf<Storage>, x.shape);
  backend.of<Storage>().rmsnorm(x.As<Storage, 'T', 'C'>(), weight.As<Storage, 'C'>(),
                                static_cast<float>(config.rms_norm_eps), y.As<Storage, 'T', 'C'>());
  return y;
}

template <typename Storage>
Tensor Sum(const Backend& backend, const Tensor& a, const Tensor& b) {
  Tensor y(kDtypeOf<Storage>, a.shape);
  backend.of<Storage>().residual_add(a.As<Storage, 'T', 'C'>(), b.As<Storage, 'T', 'C'>(),
                                     y.As<Storage, 'T', 'C'>());
  return y;
}

template <typename Storage>
Tensor LogitsOf(const Backend& backend, const Tensor& x, const TextConfig& config,
                TextWeights* weights, int threads) {
  const int64_t T = x.shape.at(0), V = config.vocabulary;
  Tensor y(Dtype::kF32, {T, V});
  for (int64_t first = 0; first < V; first += kLogitRows) {
    const int64_t count = std::min(kLogitRows, V - first);
    const Tensor weight = weights->LmHeadRows(first, count);
    const View<float, 'T', 'V'> columns{y.values<float>() + first, {T, count}, {V, 1}};
    backend.of<Storage>().logits(x.As<Storage, 'T', 'C'>(), weight.As<Storage, 'V', 'C'>(), columns,
                                 threads);
  }
  return y;
}

Tensor Shown(const Observer& observe, const std::string& path, Tensor rows) {
  if (observe) observe(path, rows);
  return rows;
}

template <typename Storage>
Tensor LayerOf(const TextConfig& config, int64_t layer, TextWeights* weights, const Tensor& h,
               const Tensor& table, KvCache* cache, int threads, const Backend& backend,
               const Observer& observe) {
  const std::shared_ptr<const LayerWeights> w = weights->Layer(layer);
  const std::string p = LayerPath(layer);

  const Tensor x =
      Shown(observe, p + "/attention_norm", Norm<Storage>(backend, h, w->attention_norm, config));
  const Tensor attended =
      AttentionPart<Storage>({config, layer, *w, threads, backend, observe}, x, table, cache);
  const Tensor middle =
      Shown(observe, p + "/attention_residual", Sum<Storage>(backend, h, attended));

  const Tensor z = Shown(observe, p + "/feed_forward_norm",
                         Norm<Storage>(backend, middle, w->feed_forward_norm, config));
  const Tensor f =
      FeedForwardPart<Storage>({config, layer, *w, threads, backend, observe}, z, weights);
  return Shown(observe, p + "/output", Sum<Storage>(backend, middle, f));
}

}  // namespace

KvCache::KvCache(const TextConfig& config, Dtype storage, int64_t capacity)
    : keys(storage, {capacity, config.kv_heads, config.head_width}),
      values(storage, {capacity, config.kv_heads, config.head_width}) {}

void KvCache::MakeRoom(int64_t more) {
  const int64_t capacity = keys.shape[0];
  if (filled + more <= capacity) return;
  for (Tensor* cache : {&keys, &values}) {
    Tensor larger(cache->dtype,
                  {std::max(filled + more, 2 * capacity), cache->shape[1], cache->shape[2]});
    std::copy(cache->data.begin(), cache->data.end(), larger.data.begin());
    *cache = std::move(larger);
  }
}

Decoder::Decoder(const TextConfig& config, TextWeights* weights, int threads,
                 const Backend& backend)
    : config_(config), weights_(weights), threads_(threads), backend_(backend) {}

Tensor Decoder::Embed(const std::vector<int64_t>& ids, const Observer& observe) const {
  for (const int64_t id : ids) TOUCHSTONE_REQUIRE(0 <= id && id < config_.vocabulary);
  return Shown(observe, "embedding", ByStorage(weights_->storage(), [&]<typename Storage>() {
                 return EmbeddingOf<Storage>(backend_, ids, weights_);
               }));
}

Tensor Decoder::RotaryTable(int64_t first, int64_t count, const Observer& observe) const {
  const int64_t J = config_.head_width / 2;
  Tensor f(Dtype::kF32, {J}), positions(Dtype::kI64, {count}), table(Dtype::kF32, {count, J, 2});
  const TextRope& rope = config_.rope;
  const RopeScaling scaling{rope.llama3, static_cast<float>(rope.factor),
                            static_cast<float>(rope.low), static_cast<float>(rope.high),
                            static_cast<float>(rope.original)};
  RopeFrequencies(static_cast<float>(rope.theta), scaling, f.As<float, 'J'>());
  std::iota(positions.values<int64_t>(), positions.values<int64_t>() + count, first);
  RopeTable(std::as_const(f).As<float, 'J'>(), std::as_const(positions).As<int64_t, 'T'>(),
            table.As<float, 'T', 'J', '2'>());
  return Shown(observe, "rope_table", std::move(table));
}

Tensor Decoder::RunLayer(int64_t layer, const Tensor& h, const Tensor& table, KvCache* cache,
                         const Observer& observe) const {
  return ByStorage(weights_->storage(), [&]<typename Storage>() {
    return LayerOf<Storage>(config_, layer, weights_, h, table, cache, threads_, backend_, observe);
  });
}

Tensor Decoder::RunLogits(const Tensor& h, const Observer& observe) const {
  const Tensor norm = weights_->FinalNorm();
  return Shown(observe, "output/logits", ByStorage(weights_->storage(), [&]<typename Storage>() {
                 const Tensor x =
                     Shown(observe, "final_norm", Norm<Storage>(backend_, h, norm, config_));
                 return LogitsOf<Storage>(backend_, x, config_, weights_, threads_);
               }));
}

}  // namespace touchstone
