// One thread a pair of adjacent elements.
// touchstone: Rope<Storage><<<(T * H * J + kThreads - 1) / kThreads, kThreads>>>
//             (T, H, J, x, table, y)
template <typename Storage>
__global__ void Rope(int64_t T, int64_t H, int64_t J, const Storage* x, const float* table,
                     Storage* y) {
  const int64_t i = int64_t{blockIdx.x} * kThreads + threadIdx.x;
  if (i >= T * H * J) return;
  const int64_t t = i / (H * J), j = i % J;
  const float cosine = table[(t * J + j) * 2], sine = table[(t * J + j) * 2 + 1];
  const float x0 = Widen(x[2 * i]), x1 = Widen(x[2 * i + 1]);
  y[2 * i] = Narrow<Storage>(x0 * cosine - x1 * sine);
  y[2 * i + 1] = Narrow<Storage>(x0 * sine + x1 * cosine);
}
