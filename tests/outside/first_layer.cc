#include "tests/outside/first_layer.h"

#include <array>
#include <numeric>
#include <stdexcept>

#include "reference/ops/attention/attention.h"
#include "reference/ops/combine/combine.h"
#include "reference/ops/dispatch/dispatch.h"
#include "reference/ops/embedding/embedding.h"
#include "reference/ops/expert_linear/expert_linear.h"
#include "reference/ops/kv_append/kv_append.h"
#include "reference/ops/linear/linear.h"
#include "reference/ops/qk_norm/qk_norm.h"
#include "reference/ops/residual_add/residual_add.h"
#include "reference/ops/rmsnorm/rmsnorm.h"
#include "reference/ops/rope/rope.h"
#include "reference/ops/rope_frequencies/rope_frequencies.h"
#include "reference/ops/rope_table/rope_table.h"
#include "reference/ops/router/router.h"
#include "reference/ops/swiglu/swiglu.h"

namespace touchstone::outside {
namespace {

const std::string kLayer = "model.layers.0";

template <typename Storage>
class Composition {
 public:
  Composition(const TextConfig& config, const Tensor& ids, const ReadWeight& read_weight)
      : config_(config), ids_(ids), read_weight_(read_weight), tokens_(ids.shape.at(0)) {}

  Named Run() {
    const Tensor h = Embed();
    const Tensor table = RotaryTable();
    const Tensor x = Norm(kLayer + ".input_layernorm", h);
    const Tensor after = Add(h, Attend(kLayer + ".self_attn", x, table));
    const Tensor z = Norm(kLayer + ".post_attention_layernorm", after);
    const std::string feed_forward = kLayer + ".feed_forward";
    const Tensor f = config_.IsMixture(0) ? Mixture(feed_forward, z) : Dense(feed_forward, z);
    Keep(kLayer, Add(after, f));
    return std::move(named_);
  }

 private:
  static constexpr Dtype kStorage = kDtypeOf<Storage>;

  const Tensor& Keep(const std::string& name, Tensor tensor) {
    return named_.emplace_back(name, std::move(tensor)).second;
  }

  Tensor Weight(const std::string& name) const {
    const Tensor stored = read_weight_(name);
    if (stored.dtype == kStorage) return stored;
    Tensor converted(kStorage, stored.shape);
    for (int64_t i = 0; i < stored.count(); ++i) {
      converted.SetReal(i, static_cast<float>(stored.Real(i)));  // stored values are binary32
    }
    return converted;
  }

  Tensor Positions() const {
    Tensor positions(Dtype::kI64, {tokens_});
    std::iota(positions.values<int64_t>(), positions.values<int64_t>() + tokens_, int64_t{0});
    return positions;
  }

  // The same values with other extents.
  static Tensor Reshaped(Tensor tensor, std::vector<int64_t> shape) {
    tensor.shape = std::move(shape);
    return tensor;
  }
  Tensor Heads(Tensor x) const {
    const int64_t heads = x.shape.at(1) / config_.head_width;
    return Reshaped(std::move(x), {tokens_, heads, config_.head_width});
  }

  Tensor Embed() {
    const Tensor table = Weight("model.embed_tokens.weight");
    Tensor h(kStorage, {tokens_, config_.channels});
    Embedding<Storage>(ids_.As<int64_t, 'T'>(), table.As<Storage, 'V', 'C'>(),
                       h.As<Storage, 'T', 'C'>());
    return Keep("model.embed_tokens", std::move(h));
  }

  Tensor RotaryTable() {
    const int64_t pairs = config_.head_width / 2;
    Tensor frequencies(Dtype::kF32, {pairs}), table(Dtype::kF32, {tokens_, pairs, 2});
    const RopeScaling scaling{config_.scaled_rope, static_cast<float>(config_.factor),
                              static_cast<float>(config_.low), static_cast<float>(config_.high),
                              static_cast<float>(config_.original)};
    RopeFrequencies(static_cast<float>(config_.theta), scaling, frequencies.As<float, 'J'>());
    const Tensor& f = frequencies;
    const Tensor positions = Positions();
    RopeTable(f.As<float, 'J'>(), positions.As<int64_t, 'T'>(), table.As<float, 'T', 'J', '2'>());
    return Keep("model.rotary_emb", std::move(table));
  }

  Tensor Norm(const std::string& name, const Tensor& x) {
    const Tensor weight = Weight(name + ".weight");
    Tensor y(kStorage, x.shape);
    RmsNorm<Storage>(x.As<Storage, 'T', 'C'>(), weight.As<Storage, 'C'>(),
                     static_cast<float>(config_.eps), y.As<Storage, 'T', 'C'>());
    return Keep(name, std::move(y));
  }

  Tensor Project(const std::string& weight_name, const Tensor& x) const {
    const Tensor weight = Weight(weight_name + ".weight");
    Tensor y(kStorage, {tokens_, weight.shape.at(0)});
    Linear<Storage>(x.As<Storage, 'T', 'C'>(), weight.As<Storage, 'F', 'C'>(),
                    y.As<Storage, 'T', 'F'>());
    return y;
  }
  Tensor KeepProjection(const std::string& name, const Tensor& x) {
    return Keep(name, Project(name, x));
  }

  static Tensor Add(const Tensor& a, const Tensor& b) {
    Tensor y(kStorage, a.shape);
    ResidualAdd<Storage>(a.As<Storage, 'T', 'C'>(), b.As<Storage, 'T', 'C'>(),
                         y.As<Storage, 'T', 'C'>());
    return y;
  }

  Tensor Rotated(const std::string& name, const Tensor& x, const Tensor& table) {
    Tensor y(kStorage, x.shape);
    Rope<Storage>(x.As<Storage, 'T', 'H', 'D'>(), table.As<float, 'T', 'J', '2'>(),
                  y.As<Storage, 'T', 'H', 'D'>());
    return Keep(name, std::move(y));
  }

  Tensor UnitHeads(const std::string& name, const Tensor& x) {
    if (!config_.qk_norm) return x;
    Tensor y(kStorage, x.shape);
    QkNorm<Storage>(x.As<Storage, 'T', 'H', 'D'>(), static_cast<float>(config_.eps),
                    y.As<Storage, 'T', 'H', 'D'>());
    return Keep(name, std::move(y));
  }

  Tensor Attend(const std::string& name, const Tensor& x, const Tensor& table) {
    const Tensor q_projected = Heads(KeepProjection(name + ".q_proj", x));
    const Tensor k_projected = Heads(KeepProjection(name + ".k_proj", x));
    const Tensor v = Heads(KeepProjection(name + ".v_proj", x));
    const Tensor q = UnitHeads(name + ".qk_norm.q", Rotated("rope.t.0.q", q_projected, table));
    const Tensor k = UnitHeads(name + ".qk_norm.k", Rotated("rope.t.0.k", k_projected, table));

    Tensor keys(kStorage, k.shape), values(kStorage, v.shape);
    KvAppend<Storage>(k.As<Storage, 'T', 'G', 'D'>(), v.As<Storage, 'T', 'G', 'D'>(), 0,
                      keys.As<Storage, 'S', 'G', 'D'>(), values.As<Storage, 'S', 'G', 'D'>());
    const Tensor positions = Positions();
    Tensor heads(kStorage, q.shape);
    Attention<Storage>(
        q.As<Storage, 'T', 'H', 'D'>(), std::as_const(keys).As<Storage, 'S', 'G', 'D'>(),
        std::as_const(values).As<Storage, 'S', 'G', 'D'>(), positions.As<int64_t, 'T'>(),
        config_.Chunk(0), heads.As<Storage, 'T', 'H', 'D'>());
    const Tensor joined = Reshaped(std::move(heads), {tokens_, config_.heads * config_.head_width});
    Keep(name + ".o_proj.in", joined);
    return KeepProjection(name + ".o_proj", joined);
  }

  Tensor Activated(const Tensor& gate, const Tensor& up) const {
    Tensor y(kStorage, gate.shape);
    SwiGlu<Storage>(gate.As<Storage, 'T', 'F'>(), up.As<Storage, 'T', 'F'>(),
                    y.As<Storage, 'T', 'F'>());
    return y;
  }

  Tensor Dense(const std::string& name, const Tensor& x) {
    const Tensor gate = KeepProjection(name + ".gate_proj", x);
    const Tensor up = KeepProjection(name + ".up_proj", x);
    return KeepProjection(name + ".down_proj", Activated(gate, up));
  }

  Tensor Mixture(const std::string& name, const Tensor& x) {
    const Tensor logits = Keep(name + ".router.logits", Project(name + ".router", x));
    Tensor chosen(Dtype::kI64, {tokens_, config_.experts_a_token});
    Tensor scores(kStorage, chosen.shape);
    Router<Storage>(logits.As<Storage, 'T', 'E'>(), chosen.As<int64_t, 'T', 'A'>(),
                    scores.As<Storage, 'T', 'A'>());
    Keep(name + ".router.chosen", chosen);
    Keep(name + ".router.scores", Spread(chosen, scores));

    const Tensor routed = Keep(name + ".experts.sum", Routed(name + ".experts", x, chosen, scores));
    const Tensor shared = Dense(name + ".shared_expert", x);
    return Keep(name, Add(shared, routed));
  }

  // The score of each chosen expert in its own column, +0 in all others.
  Tensor Spread(const Tensor& chosen, const Tensor& scores) const {
    Tensor all(kStorage, {tokens_, config_.experts});
    for (int64_t i = 0; i < chosen.count(); ++i) {
      const int64_t token = i / config_.experts_a_token;
      all.values<Storage>()[token * config_.experts + chosen.values<int64_t>()[i]] =
          scores.values<Storage>()[i];
    }
    return all;
  }

  Tensor Expert(const Tensor& x, View<const Storage, 'E', 'F', 'C'> weight,
                const Tensor& offsets) const {
    Tensor y(kStorage, {x.shape.at(0), weight.shape[1]});
    ExpertLinear<Storage>(x.As<Storage, 'R', 'C'>(), weight, offsets.As<int64_t, 'O'>(),
                          y.As<Storage, 'R', 'F'>());
    return y;
  }

  // gate_up_proj is (E, C, 2F), the gate first; down_proj is (E, F, C).
  Tensor Routed(const std::string& name, const Tensor& x, const Tensor& chosen,
                const Tensor& scores) const {
    const Tensor gate_up = Weight(name + ".gate_up_proj"), down = Weight(name + ".down_proj");
    const int64_t R = chosen.count(), C = config_.channels, F = down.shape.at(1);
    Tensor rows(kStorage, {R, C}), row_token(Dtype::kI64, {R});
    Tensor offsets(Dtype::kI64, {config_.experts + 1});
    Dispatch<Storage>(x.As<Storage, 'T', 'C'>(), chosen.As<int64_t, 'T', 'A'>(),
                      scores.As<Storage, 'T', 'A'>(), rows.As<Storage, 'R', 'C'>(),
                      row_token.As<int64_t, 'R'>(), offsets.As<int64_t, 'O'>());

    const std::array<int64_t, 3> in_shape{config_.experts, F, C}, in_stride{C * 2 * F, 1, 2 * F};
    const std::array<int64_t, 3> out_shape{config_.experts, C, F}, out_stride{F * C, 1, C};
    const Storage* gates = gate_up.values<Storage>();
    const Tensor gate = Expert(rows, {gates, in_shape, in_stride}, offsets);
    const Tensor up = Expert(rows, {gates + F, in_shape, in_stride}, offsets);
    const Tensor result =
        Expert(Activated(gate, up), {down.values<Storage>(), out_shape, out_stride}, offsets);
    Tensor sum(kStorage, {tokens_, C});
    Combine<Storage>(result.As<Storage, 'R', 'C'>(), std::as_const(row_token).As<int64_t, 'R'>(),
                     sum.As<Storage, 'T', 'C'>());
    return sum;
  }

  const TextConfig& config_;
  const Tensor& ids_;
  const ReadWeight& read_weight_;
  const int64_t tokens_;
  Named named_;
};

}  // namespace

Named RunFirstLayer(const TextConfig& config, Dtype recipe, const Tensor& ids,
                    const ReadWeight& read_weight) {
  if (!config.HasRope(0)) throw std::runtime_error("layer 0 has no RoPE: it is not composed here");
  if (recipe == Dtype::kF32) return Composition<float>(config, ids, read_weight).Run();
  return Composition<Bf16>(config, ids, read_weight).Run();
}

}  // namespace touchstone::outside
