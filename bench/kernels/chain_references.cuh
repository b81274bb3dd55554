// The references of the chains whose steps work on rows alone: their ops one after the other.
#pragma once

#include <cstdint>
#include <vector>

#include "all_ops.h"
#include "bench/kernels/device_call.h"

namespace touchstone::bench {

template <typename Storage>
void ResidualAddRmsnormReference(View<const Storage, 'T', 'C'> h,
                                 View<const Storage, 'T', 'C'> delta,
                                 View<const Storage, 'C'> weight, float eps,
                                 View<Storage, 'T', 'C'> sum, View<Storage, 'T', 'C'> y) {
  ResidualAdd<Storage>(h, delta, sum);
  RmsNorm<Storage>(sum, weight, eps, y);
}

template <typename Storage>
void RopeQkNormReference(View<const Storage, 'T', 'H', 'D'> x,
                         View<const float, 'T', 'J', '2'> table, float eps,
                         View<Storage, 'T', 'H', 'D'> y) {
  std::vector<Storage> turned(static_cast<size_t>(x.shape[0] * x.shape[1] * x.shape[2]));
  const auto view = Packed<'T', 'H', 'D'>(turned.data(), x.shape[0], x.shape[1], x.shape[2]);
  Rope<Storage>(x, table, view);
  QkNorm<Storage>(view, eps, y);
}

template <typename Storage>
void GateUpSwigluReference(View<const Storage, 'T', 'C'> x, View<const Storage, 'F', 'C'> gate,
                           View<const Storage, 'F', 'C'> up, View<Storage, 'T', 'F'> y) {
  const int64_t T = x.shape[0], F = gate.shape[0];
  std::vector<Storage> g(static_cast<size_t>(T * F)), u(g.size());
  const auto gate_view = Packed<'T', 'F'>(g.data(), T, F),
             up_view = Packed<'T', 'F'>(u.data(), T, F);
  Linear<Storage>(x, gate, gate_view, 16);
  Linear<Storage>(x, up, up_view, 16);
  SwiGlu<Storage>(gate_view, up_view, y);
}

template <typename Storage>
void FeedForwardReference(View<const Storage, 'T', 'C'> x, View<const Storage, 'F', 'C'> gate,
                          View<const Storage, 'F', 'C'> up, View<const Storage, 'C', 'F'> down,
                          View<Storage, 'T', 'C'> y) {
  const int64_t T = x.shape[0], F = gate.shape[0], C = down.shape[0];
  std::vector<Storage> inner(static_cast<size_t>(T * F));
  GateUpSwigluReference<Storage>(x, gate, up, Packed<'T', 'F'>(inner.data(), T, F));
  const View<const Storage, 'T', 'C'> as_x{inner.data(), {T, F}, {F, 1}};
  const View<const Storage, 'F', 'C'> as_weight{down.data, {C, F}, down.stride};
  const View<Storage, 'T', 'F'> as_y{y.data, {T, C}, y.stride};
  Linear<Storage>(as_x, as_weight, as_y, 16);
}

}  // namespace touchstone::bench
