// One thread an element. keys and values hold the cache before the call.
// touchstone: KvAppend<Storage><<<(T * G * D + kThreads - 1) / kThreads, kThreads>>>
//             (T * G * D, first * G * D, k, v, keys, values)
template <typename Storage>
__global__ void KvAppend(int64_t count, int64_t begin, const Storage* k, const Storage* v,
                         Storage* keys, Storage* values) {
  const int64_t i = int64_t{blockIdx.x} * kThreads + threadIdx.x;
  if (i >= count) return;
  keys[begin + i] = k[i];
  values[begin + i] = v[i];
}
