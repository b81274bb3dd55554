struct Partial {
  float squares[kThreads];
};

// One block a token: its threads add the residual and square what is stored, then scale.
// touchstone: ResidualAddRmsNorm<Storage><<<T, kThreads>>>(C, h, delta, weight, eps, sum, y)
template <typename Storage>
__global__ void ResidualAddRmsNorm(int64_t C, const Storage* h, const Storage* delta,
                                   const Storage* weight, float eps, Storage* sum, Storage* y) {
  Partial& partial = simt::Shared<Partial>();
  const int64_t row = blockIdx.x * C;
  float squares = 0.0f;
  for (int64_t c = threadIdx.x; c < C; c += kThreads) {
    sum[row + c] = Narrow<Storage>(Widen(h[row + c]) + Widen(delta[row + c]));
    squares += Widen(sum[row + c]) * Widen(sum[row + c]);
  }
  partial.squares[threadIdx.x] = squares;
  __syncthreads();
  for (unsigned half = kThreads / 2; half > 0; half /= 2) {
    if (threadIdx.x < half) partial.squares[threadIdx.x] += partial.squares[threadIdx.x + half];
    __syncthreads();
  }
  const float r = 1.0f / sqrtf(partial.squares[0] / static_cast<float>(C) + eps);
  for (int64_t c = threadIdx.x; c < C; c += kThreads) {
    y[row + c] = Narrow<Storage>(RoundTo<Storage>(Widen(sum[row + c]) * r) * Widen(weight[c]));
  }
}
