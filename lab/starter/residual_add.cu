// One thread an output element.
// touchstone: ResidualAdd<Storage><<<(T * C + kThreads - 1) / kThreads, kThreads>>>(T * C, a, b, y)
template <typename Storage>
__global__ void ResidualAdd(int64_t count, const Storage* a, const Storage* b, Storage* y) {
  const int64_t i = int64_t{blockIdx.x} * kThreads + threadIdx.x;
  if (i < count) y[i] = Narrow<Storage>(Widen(a[i]) + Widen(b[i]));
}
