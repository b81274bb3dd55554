// One thread an output element.
// touchstone: SwiGlu<Storage><<<(T * F + kThreads - 1) / kThreads, kThreads>>>(T * F, gate, up, y)
template <typename Storage>
__global__ void SwiGlu(int64_t count, const Storage* gate, const Storage* up, Storage* y) {
  const int64_t i = int64_t{blockIdx.x} * kThreads + threadIdx.x;
  if (i >= count) return;
  const float g = Widen(gate[i]);
  y[i] = Narrow<Storage>(RoundTo<Storage>(g / (1.0f + expf(-g))) * Widen(up[i]));
}
