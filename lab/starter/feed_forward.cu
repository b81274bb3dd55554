// One block a token: its threads make SwiGLU's F values, in the launch's shared memory, then the C
// sums over them.
// touchstone: FeedForward<Storage><<<T, kThreads, F * sizeof(float)>>>(C, F, x, gate, up, down, y)
template <typename Storage>
__global__ void FeedForward(int64_t C, int64_t F, const Storage* x, const Storage* gate,
                            const Storage* up, const Storage* down, Storage* y) {
  float* hidden = simt::DynamicShared<float>();
  const Storage* x_t = x + blockIdx.x * C;
  for (int64_t f = threadIdx.x; f < F; f += kThreads) {
    float g = 0.0f, u = 0.0f;
    for (int64_t c = 0; c < C; ++c) {
      g += Widen(x_t[c]) * Widen(gate[f * C + c]);
      u += Widen(x_t[c]) * Widen(up[f * C + c]);
    }
    g = RoundTo<Storage>(g);
    hidden[f] = RoundTo<Storage>(RoundTo<Storage>(g / (1.0f + expf(-g))) * RoundTo<Storage>(u));
  }
  __syncthreads();
  for (int64_t c = threadIdx.x; c < C; c += kThreads) {
    float sum = 0.0f;
    for (int64_t f = 0; f < F; ++f) sum += hidden[f] * Widen(down[c * F + f]);
    y[blockIdx.x * C + c] = Narrow<Storage>(sum);
  }
}
