// One thread an output element.
template <typename Storage>
__global__ void linear_kernel(int64_t T, int64_t C, int64_t F, const Storage* x,
                              const Storage* weight, Storage* y) {
  const int64_t i = static_cast<int64_t>(blockIdx.x) * kThreads + threadIdx.x;
  if (i >= T * F) return;
  const Storage* x_t = x + i / F * C;
  const Storage* weight_f = weight + i % F * C;
  float sum = 0.0f;
  for (int64_t c = 0; c < C; ++c) sum += widen(x_t[c]) * widen(weight_f[c]);
  y[i] = narrow<Storage>(sum);
}

template <typename Storage>
void op_linear(int64_t T, int64_t C, int64_t F, const Storage* x, const Storage* weight, Storage* y,
               cudaStream_t stream) {
  if (T * F == 0) return;
  linear_kernel<<<blocks_for(T * F), kThreads, 0, stream>>>(T, C, F, x, weight, y);
}
