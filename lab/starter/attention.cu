struct Tile {
  float of_thread[kThreads];
};

template <typename Storage>
__device__ float Score(int64_t D, const Storage* q, const Storage* key) {
  float sum = 0.0f;
  for (int64_t d = 0; d < D; ++d) sum += Widen(q[d]) * Widen(key[d]);
  return sum * static_cast<float>(1.0 / sqrt(static_cast<double>(D)));
}

// One block a token and head, in two passes over its visible keys: the largest score, then the
// weighted sum of the values, a thread for each d.
// touchstone: Attention<Storage><<<T * H, kThreads>>>
//             (H, D, S, G, q, keys, values, positions, chunk, y)
template <typename Storage>
__global__ void Attention(int64_t H, int64_t D, int64_t S, int64_t G, const Storage* q,
                          const Storage* keys, const Storage* values, const int64_t* positions,
                          int64_t chunk, Storage* y) {
  float* shared = simt::Shared<Tile>().of_thread;
  const int64_t t = blockIdx.x / H, h = blockIdx.x % H, g = h / (H / G);
  const int64_t begin = chunk > 0 ? positions[t] / chunk * chunk : 0;
  const int64_t end = positions[t] + 1 < S ? positions[t] + 1 : S;
  const Storage* q_th = q + (t * H + h) * D;

  float largest = -INFINITY;
  for (int64_t j = begin + threadIdx.x; j < end; j += kThreads) {
    largest = fmaxf(largest, Score(D, q_th, keys + (j * G + g) * D));
  }
  shared[threadIdx.x] = largest;
  __syncthreads();
  for (unsigned half = kThreads / 2; half > 0; half /= 2) {
    if (threadIdx.x < half) {
      shared[threadIdx.x] = fmaxf(shared[threadIdx.x], shared[threadIdx.x + half]);
    }
    __syncthreads();
  }
  largest = shared[0];

  for (int64_t part = 0; part < D; part += kThreads) {
    const int64_t d = part + threadIdx.x;
    float l = 0.0f, o = 0.0f;
    for (int64_t first = begin; first < end; first += kThreads) {
      const int64_t mine = first + threadIdx.x;
      __syncthreads();  // the tile before is read
      if (mine < end) {
        shared[threadIdx.x] = expf(Score(D, q_th, keys + (mine * G + g) * D) - largest);
      }
      __syncthreads();
      for (int64_t j = first; j < end && j < first + kThreads; ++j) {
        l += shared[j - first];
        if (d < D) o += shared[j - first] * Widen(values[(j * G + g) * D + d]);
      }
    }
    if (d < D) y[(t * H + h) * D + d] = Narrow<Storage>(begin < end ? o / l : 0.0f);
  }
}
