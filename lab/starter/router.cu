// Whether logit a ranks before logit b, apart from their index: a NaN beats every number.
__device__ inline bool Beats(float a, float b) { return a != a ? b == b : a > b; }

// One thread a token.
// touchstone: Router<Storage><<<(T + kThreads - 1) / kThreads, kThreads>>>
//             (T, E, A, logits, chosen, scores)
template <typename Storage>
__global__ void Router(int64_t T, int64_t E, int64_t A, const Storage* logits, int64_t* chosen,
                       Storage* scores) {
  const int64_t t = int64_t{blockIdx.x} * kThreads + threadIdx.x;
  if (t >= T) return;
  for (int64_t a = 0; a < A; ++a) {
    int64_t best = -1;
    for (int64_t e = 0; e < E; ++e) {
      bool taken = false;
      for (int64_t i = 0; i < a; ++i) taken |= chosen[t * A + i] == e;
      if (taken) continue;
      if (best < 0 || Beats(Widen(logits[t * E + e]), Widen(logits[t * E + best]))) best = e;
    }
    chosen[t * A + a] = best;
    scores[t * A + a] = Narrow<Storage>(1.0f / (1.0f + expf(-Widen(logits[t * E + best]))));
  }
}
