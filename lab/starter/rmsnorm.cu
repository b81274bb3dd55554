struct Partial {
  float sum[kThreads];
};

// One block a token: its threads add squares, then scale.
// touchstone: RmsNorm<Storage><<<T, kThreads>>>(C, x, weight, eps, y)
template <typename Storage>
__global__ void RmsNorm(int64_t C, const Storage* x, const Storage* weight, float eps, Storage* y) {
  Partial& partial = simt::Shared<Partial>();
  const Storage* x_t = x + blockIdx.x * C;
  Storage* y_t = y + blockIdx.x * C;
  float sum = 0.0f;
  for (int64_t c = threadIdx.x; c < C; c += kThreads) sum += Widen(x_t[c]) * Widen(x_t[c]);
  partial.sum[threadIdx.x] = sum;
  __syncthreads();
  for (unsigned half = kThreads / 2; half > 0; half /= 2) {
    if (threadIdx.x < half) partial.sum[threadIdx.x] += partial.sum[threadIdx.x + half];
    __syncthreads();
  }
  const float r = 1.0f / sqrtf(partial.sum[0] / static_cast<float>(C) + eps);
  for (int64_t c = threadIdx.x; c < C; c += kThreads) {
    y_t[c] = Narrow<Storage>(RoundTo<Storage>(Widen(x_t[c]) * r) * Widen(weight[c]));
  }
}
