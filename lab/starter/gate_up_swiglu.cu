// One thread an output element: both products, then SwiGLU of what the recipe stores of them.
// touchstone: GateUpSwiGlu<Storage><<<(T * F + kThreads - 1) / kThreads, kThreads>>>
//             (T, C, F, x, gate, up, y)
template <typename Storage>
__global__ void GateUpSwiGlu(int64_t T, int64_t C, int64_t F, const Storage* x, const Storage* gate,
                             const Storage* up, Storage* y) {
  const int64_t i = int64_t{blockIdx.x} * kThreads + threadIdx.x;
  if (i >= T * F) return;
  const Storage* x_t = x + i / F * C;
  float g = 0.0f, u = 0.0f;
  for (int64_t c = 0; c < C; ++c) {
    g += Widen(x_t[c]) * Widen(gate[i % F * C + c]);
    u += Widen(x_t[c]) * Widen(up[i % F * C + c]);
  }
  g = RoundTo<Storage>(g);
  y[i] = Narrow<Storage>(RoundTo<Storage>(g / (1.0f + expf(-g))) * RoundTo<Storage>(u));
}
