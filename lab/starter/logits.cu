// One thread a logit. y is f32 in every recipe; the rounding to storage comes first.
// touchstone: Logits<Storage><<<(T * V + kThreads - 1) / kThreads, kThreads>>>
//             (T, C, V, x, weight, y)
template <typename Storage>
__global__ void Logits(int64_t T, int64_t C, int64_t V, const Storage* x, const Storage* weight,
                       float* y) {
  const int64_t i = int64_t{blockIdx.x} * kThreads + threadIdx.x;
  if (i >= T * V) return;
  const Storage* x_t = x + i / V * C;
  const Storage* weight_v = weight + i % V * C;
  float sum = 0.0f;
  for (int64_t c = 0; c < C; ++c) sum += Widen(x_t[c]) * Widen(weight_v[c]);
  y[i] = RoundTo<Storage>(sum);
}
