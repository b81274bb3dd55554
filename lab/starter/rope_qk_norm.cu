// One thread a head: it turns the pairs, stores them, and scales what is stored.
// touchstone: RopeQkNorm<Storage><<<(T * H + kThreads - 1) / kThreads, kThreads>>>
//             (T, H, J, x, table, eps, y)
template <typename Storage>
__global__ void RopeQkNorm(int64_t T, int64_t H, int64_t J, const Storage* x, const float* table,
                           float eps, Storage* y) {
  const int64_t head = int64_t{blockIdx.x} * kThreads + threadIdx.x;
  if (head >= T * H) return;
  const Storage* in = x + head * 2 * J;
  Storage* out = y + head * 2 * J;
  const float* turn = table + head / H * 2 * J;
  float sum = 0.0f;
  for (int64_t j = 0; j < J; ++j) {
    const float cosine = turn[2 * j], sine = turn[2 * j + 1];
    const float x0 = Widen(in[2 * j]), x1 = Widen(in[2 * j + 1]);
    out[2 * j] = Narrow<Storage>(x0 * cosine - x1 * sine);
    out[2 * j + 1] = Narrow<Storage>(x0 * sine + x1 * cosine);
    sum += Widen(out[2 * j]) * Widen(out[2 * j]);
    sum += Widen(out[2 * j + 1]) * Widen(out[2 * j + 1]);
  }
  const float r = 1.0f / sqrtf(sum / static_cast<float>(2 * J) + eps);
  for (int64_t d = 0; d < 2 * J; ++d) out[d] = Narrow<Storage>(Widen(out[d]) * r);
}
