// One thread a pair of adjacent elements.
template <typename Storage>
__global__ void rope_kernel(int64_t pairs, int64_t H, int64_t J, const Storage* x,
                            const float* table, Storage* y) {
  const int64_t i = static_cast<int64_t>(blockIdx.x) * kThreads + threadIdx.x;
  if (i >= pairs) return;
  const int64_t t = i / (H * J), j = i % J;
  const float cosine = table[(t * J + j) * 2], sine = table[(t * J + j) * 2 + 1];
  const float x0 = widen(x[2 * i]), x1 = widen(x[2 * i + 1]);
  y[2 * i] = narrow<Storage>(x0 * cosine - x1 * sine);
  y[2 * i + 1] = narrow<Storage>(x0 * sine + x1 * cosine);
}

template <typename Storage>
void op_rope(int64_t T, int64_t H, int64_t D, int64_t J, const Storage* x, const float* table,
             Storage* y, cudaStream_t stream) {
  (void)D;
  if (T * H * J == 0) return;
  rope_kernel<<<blocks_for(T * H * J), kThreads, 0, stream>>>(T * H * J, H, J, x, table, y);
}
