// One block a token: its threads add squares, then scale.
template <typename Storage>
__global__ void rmsnorm_kernel(int64_t C, const Storage* x, const Storage* weight, float eps,
                               Storage* y) {
  __shared__ float partial[kThreads];
  const Storage* x_t = x + blockIdx.x * C;
  Storage* y_t = y + blockIdx.x * C;
  float sum = 0.0f;
  for (int64_t c = threadIdx.x; c < C; c += kThreads) sum += widen(x_t[c]) * widen(x_t[c]);
  partial[threadIdx.x] = sum;
  __syncthreads();
  for (unsigned half = kThreads / 2; half > 0; half /= 2) {
    if (threadIdx.x < half) partial[threadIdx.x] += partial[threadIdx.x + half];
    __syncthreads();
  }
  const float r = 1.0f / sqrtf(partial[0] / static_cast<float>(C) + eps);
  for (int64_t c = threadIdx.x; c < C; c += kThreads) {
    const float unit = widen(narrow<Storage>(widen(x_t[c]) * r));
    y_t[c] = narrow<Storage>(unit * widen(weight[c]));
  }
}

template <typename Storage>
void op_rmsnorm(int64_t T, int64_t C, const Storage* x, const Storage* weight, double eps,
                Storage* y, cudaStream_t stream) {
  if (T == 0) return;
  rmsnorm_kernel<<<static_cast<unsigned>(T), kThreads, 0, stream>>>(C, x, weight,
                                                                    static_cast<float>(eps), y);
}
