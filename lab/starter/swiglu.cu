// One thread an output element.
template <typename Storage>
__global__ void swiglu_kernel(int64_t count, const Storage* gate, const Storage* up, Storage* y) {
  const int64_t i = static_cast<int64_t>(blockIdx.x) * kThreads + threadIdx.x;
  if (i >= count) return;
  const float g = widen(gate[i]);
  const float silu = widen(narrow<Storage>(g / (1.0f + expf(-g))));
  y[i] = narrow<Storage>(silu * widen(up[i]));
}

template <typename Storage>
void op_swiglu(int64_t T, int64_t F, const Storage* gate, const Storage* up, Storage* y,
               cudaStream_t stream) {
  if (T * F == 0) return;
  swiglu_kernel<<<blocks_for(T * F), kThreads, 0, stream>>>(T * F, gate, up, y);
}
