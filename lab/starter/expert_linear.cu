// One thread an output element. Rows offsets[e] to offsets[e + 1] - 1 belong to expert e.
// touchstone: ExpertLinear<Storage><<<(R * F + kThreads - 1) / kThreads, kThreads>>>
//             (R, C, F, O, x, weight, offsets, y)
template <typename Storage>
__global__ void ExpertLinear(int64_t R, int64_t C, int64_t F, int64_t O, const Storage* x,
                             const Storage* weight, const int64_t* offsets, Storage* y) {
  const int64_t i = int64_t{blockIdx.x} * kThreads + threadIdx.x;
  if (i >= R * F) return;
  const int64_t r = i / F, f = i % F;
  int64_t e = 0;
  while (e + 2 < O && r >= offsets[e + 1]) ++e;
  const Storage* x_r = x + r * C;
  const Storage* weight_f = weight + (e * F + f) * C;
  float sum = 0.0f;
  for (int64_t c = 0; c < C; ++c) sum += Widen(x_r[c]) * Widen(weight_f[c]);
  y[i] = Narrow<Storage>(sum);
}
