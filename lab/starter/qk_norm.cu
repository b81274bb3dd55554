// One thread a head.
// touchstone: QkNorm<Storage><<<(T * H + kThreads - 1) / kThreads, kThreads>>>(T, H, D, x, eps, y)
template <typename Storage>
__global__ void QkNorm(int64_t T, int64_t H, int64_t D, const Storage* x, float eps, Storage* y) {
  const int64_t head = int64_t{blockIdx.x} * kThreads + threadIdx.x;
  if (head >= T * H) return;
  float sum = 0.0f;
  for (int64_t i = head * D; i < (head + 1) * D; ++i) sum += Widen(x[i]) * Widen(x[i]);
  const float r = 1.0f / sqrtf(sum / static_cast<float>(D) + eps);
  for (int64_t i = head * D; i < (head + 1) * D; ++i) y[i] = Narrow<Storage>(Widen(x[i]) * r);
}
