// One thread an output element.
template <typename Storage>
__global__ void residual_add_kernel(int64_t count, const Storage* a, const Storage* b, Storage* y) {
  const int64_t i = static_cast<int64_t>(blockIdx.x) * kThreads + threadIdx.x;
  if (i < count) y[i] = narrow<Storage>(widen(a[i]) + widen(b[i]));
}

template <typename Storage>
void op_residual_add(int64_t T, int64_t C, const Storage* a, const Storage* b, Storage* y,
                     cudaStream_t stream) {
  if (T * C == 0) return;
  residual_add_kernel<<<blocks_for(T * C), kThreads, 0, stream>>>(T * C, a, b, y);
}
