// One thread an output element: the sum of its token's rows, in ascending order.
// touchstone: Combine<Storage><<<(T * C + kThreads - 1) / kThreads, kThreads>>>
//             (R, C, T, rows, row_token, y)
template <typename Storage>
__global__ void Combine(int64_t R, int64_t C, int64_t T, const Storage* rows,
                        const int64_t* row_token, Storage* y) {
  const int64_t i = int64_t{blockIdx.x} * kThreads + threadIdx.x;
  if (i >= T * C) return;
  float sum = 0.0f;
  for (int64_t r = 0; r < R; ++r) {
    if (row_token[r] == i / C) sum += Widen(rows[r * C + i % C]);
  }
  y[i] = Narrow<Storage>(sum);
}
