#include "reference/model/feed_forward_part.h"

#include <algorithm>

namespace touchstone {
namespace {

// Gate, up and down of a dense layer or of the shared expert. Names begin with `prefix`; the last
// result is named by the caller.
template <typename Storage>
Tensor DenseSwiGlu(const LayerPart& part, const Tensor& z, const std::string& prefix) {
  const std::string p = "feed_forward/" + prefix;
  const Tensor gate = part.Show(p + "gate", Project<Storage>(part, z, part.weights.gate));
  const Tensor up = part.Show(p + "up", Project<Storage>(part, z, part.weights.up));
  Tensor activation(kDtypeOf<Storage>, gate.shape);
  part.backend.of<Storage>().swiglu(gate.As<Storage, 'T', 'F'>(), up.As<Storage, 'T', 'F'>(),
                                    activation.As<Storage, 'T', 'F'>());
  activation = part.Show(p + "activation", std::move(activation));
  return Project<Storage>(part, activation, part.weights.down);
}

// The rows of all chosen experts, sorted by expert (op dispatch): R = T A.
struct ExpertRows {
  Tensor input, gate, up, activation, down;  // (R, C), (R, F), (R, F), (R, F), (R, C)
  Tensor row_token, offsets;                 // (R), (E + 1)
};

// Rows [first, first + count) of a matrix.
template <typename Storage, char kColumns>
View<Storage, 'R', kColumns> RowsOf(Tensor* x, int64_t first, int64_t count) {
  View<Storage, 'R', kColumns> rows = x->As<Storage, 'R', kColumns>();
  rows.data += first * rows.stride[0];
  rows.shape[0] = count;
  return rows;
}
template <typename Storage>
View<Storage, 'T', 'F'> AsTokens(View<Storage, 'R', 'F'> x) {
  return {x.data, x.shape, x.stride};
}

// One expert over its own rows. Weights are stored input-major and read in place.
template <typename Storage>
void RunExpert(const LayerPart& part, const ExpertWeights& w, int64_t first, int64_t count,
               ExpertRows* rows) {
  const ReplaceableOps<Storage>& ops = part.backend.of<Storage>();
  const int64_t C = w.gate.shape.at(0), F = w.gate.shape.at(1);
  Tensor offsets(Dtype::kI64, {2});
  offsets.values<int64_t>()[1] = count;
  const View<const int64_t, 'O'> own = std::as_const(offsets).As<int64_t, 'O'>();
  const View<const Storage, 'E', 'F', 'C'> gate{w.gate.values<Storage>(), {1, F, C}, {F * C, 1, F}};
  const View<const Storage, 'E', 'F', 'C'> up{w.up.values<Storage>(), {1, F, C}, {F * C, 1, F}};
  const View<const Storage, 'E', 'F', 'C'> down{w.down.values<Storage>(), {1, C, F}, {F * C, 1, C}};

  const auto x = RowsOf<Storage, 'C'>(&rows->input, first, count);
  const auto g = RowsOf<Storage, 'F'>(&rows->gate, first, count);
  const auto u = RowsOf<Storage, 'F'>(&rows->up, first, count);
  const auto a = RowsOf<Storage, 'F'>(&rows->activation, first, count);
  const auto y = RowsOf<Storage, 'C'>(&rows->down, first, count);
  ops.expert_linear(x, gate, own, g, part.threads);
  ops.expert_linear(x, up, own, u, part.threads);
  ops.swiglu(AsTokens<Storage>(g), AsTokens<Storage>(u), AsTokens<Storage>(a));
  ops.expert_linear(View<const Storage, 'R', 'C'>{a.data, a.shape, a.stride}, down, own,
                    View<Storage, 'R', 'F'>{y.data, y.shape, y.stride}, part.threads);
}

// Rows in the order of experts, as (T, A, ...) in the order of `chosen`: the order of rows depends
// on which tokens were given together, this does not.
Tensor ByToken(const Tensor& rows, const ExpertRows& order, const Tensor& chosen) {
  const int64_t T = chosen.shape.at(0), A = chosen.shape.at(1), X = rows.shape.at(1);
  const size_t row_bytes = static_cast<size_t>(X) * ElementBytes(rows.dtype);
  const int64_t* offsets = order.offsets.values<int64_t>();
  Tensor y(rows.dtype, {T, A, X});
  for (int64_t r = 0, e = 0; r < T * A; ++r) {
    while (r >= offsets[e + 1]) ++e;
    const int64_t token = order.row_token.values<int64_t>()[r];
    const int64_t* experts = chosen.values<int64_t>() + token * A;
    const int64_t slot = token * A + (std::find(experts, experts + A, e) - experts);
    std::copy_n(
        rows.data.begin() + static_cast<std::ptrdiff_t>(static_cast<size_t>(r) * row_bytes),
        row_bytes,
        y.data.begin() + static_cast<std::ptrdiff_t>(static_cast<size_t>(slot) * row_bytes));
  }
  return y;
}

template <typename Storage>
Tensor Routed(const LayerPart& part, const Tensor& z, const Tensor& chosen, const Tensor& scores,
              TextWeights* weights) {
  const int64_t R = chosen.count(), E = part.config.experts, F = part.config.expert_width;
  const Dtype storage = kDtypeOf<Storage>;
  const std::vector<int64_t> wide{R, z.shape.at(1)}, narrow{R, F};
  ExpertRows rows{Tensor(storage, wide),       Tensor(storage, narrow), Tensor(storage, narrow),
                  Tensor(storage, narrow),     Tensor(storage, wide),   Tensor(Dtype::kI64, {R}),
                  Tensor(Dtype::kI64, {E + 1})};
  part.backend.of<Storage>().dispatch(
      z.As<Storage, 'T', 'C'>(), chosen.As<int64_t, 'T', 'A'>(), scores.As<Storage, 'T', 'A'>(),
      rows.input.As<Storage, 'R', 'C'>(), rows.row_token.As<int64_t, 'R'>(),
      rows.offsets.As<int64_t, 'O'>());
  for (int64_t e = 0; e < E; ++e) {
    const int64_t first = rows.offsets.values<int64_t>()[e];
    const int64_t count = rows.offsets.values<int64_t>()[e + 1] - first;
    if (count == 0) continue;
    RunExpert<Storage>(part, *weights->Expert(part.layer, e), first, count, &rows);
  }
  if (part.observe) {
    part.Show("feed_forward/expert_input", ByToken(rows.input, rows, chosen));
    part.Show("feed_forward/expert_gate", ByToken(rows.gate, rows, chosen));
    part.Show("feed_forward/expert_up", ByToken(rows.up, rows, chosen));
    part.Show("feed_forward/expert_activation", ByToken(rows.activation, rows, chosen));
    part.Show("feed_forward/expert_down", ByToken(rows.down, rows, chosen));
  }
  Tensor sum(storage, z.shape);
  part.backend.of<Storage>().combine(std::as_const(rows.down).As<Storage, 'R', 'C'>(),
                                     std::as_const(rows.row_token).As<int64_t, 'R'>(),
                                     sum.As<Storage, 'T', 'C'>());
  return sum;
}

template <typename Storage>
Tensor Mixture(const LayerPart& part, const Tensor& z, TextWeights* weights) {
  const Tensor logits =
      part.Show("feed_forward/router_logits", Project<Storage>(part, z, part.weights.router));
  Tensor chosen(Dtype::kI64, {z.shape.at(0), part.config.experts_a_token});
  Tensor scores(kDtypeOf<Storage>, chosen.shape);
  part.backend.of<Storage>().router(logits.As<Storage, 'T', 'E'>(), chosen.As<int64_t, 'T', 'A'>(),
                                    scores.As<Storage, 'T', 'A'>());
  chosen = part.Show("feed_forward/chosen", std::move(chosen));
  scores = part.Show("feed_forward/scores", std::move(scores));

  const Tensor routed =
      part.Show("feed_forward/routed", Routed<Storage>(part, z, chosen, scores, weights));
  const Tensor shared = part.Show("feed_forward/shared", DenseSwiGlu<Storage>(part, z, "shared_"));
  Tensor sum(kDtypeOf<Storage>, z.shape);
  part.backend.of<Storage>().residual_add(
      shared.As<Storage, 'T', 'C'>(), routed.As<Storage, 'T', 'C'>(), sum.As<Storage, 'T', 'C'>());
  return sum;
}

}  // namespace

template <typename Storage>
Tensor FeedForwardPart(const LayerPart& part, const Tensor& z, TextWeights* weights) {
  const bool is_moe = part.config.layers.at(static_cast<size_t>(part.layer)).is_moe;
  return part.Show("feed_forward/output",
                   is_moe ? Mixture<Storage>(part, z, weights) : DenseSwiGlu<Storage>(part, z, ""));
}

template Tensor FeedForwardPart<float>(const LayerPart&, const Tensor&, TextWeights*);
template Tensor FeedForwardPart<Bf16>(const LayerPart&, const Tensor&, TextWeights*);

}  // namespace touchstone
