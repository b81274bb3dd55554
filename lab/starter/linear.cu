// One thread an output element.
// touchstone: Linear<Storage><<<(T * F + kThreads - 1) / kThreads, kThreads>>>
//             (T, C, F, x, weight, y)
template <typename Storage>
__global__ void Linear(int64_t T, int64_t C, int64_t F, const Storage* x, const Storage* weight,
                       Storage* y) {
  const int64_t i = int64_t{blockIdx.x} * kThreads + threadIdx.x;
  if (i >= T * F) return;
  const Storage* x_t = x + i / F * C;
  const Storage* weight_f = weight + i % F * C;
  float sum = 0.0f;
  for (int64_t c = 0; c < C; ++c) sum += Widen(x_t[c]) * Widen(weight_f[c]);
  y[i] = Narrow<Storage>(sum);
}
