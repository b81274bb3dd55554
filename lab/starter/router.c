// Whether logit a ranks before logit b, apart from their index: a NaN beats every number.
static int router_beats(float a, float b) { return isnan(a) ? !isnan(b) : a > b; }

static void op_router(int bf16, int64_t T, int64_t E, int64_t A, const float* logits,
                      int64_t* chosen, float* scores) {
  for (int64_t t = 0; t < T; ++t) {
    for (int64_t a = 0; a < A; ++a) {
      int64_t best = -1;
      for (int64_t e = 0; e < E; ++e) {
        int taken = 0;
        for (int64_t i = 0; i < a; ++i) taken |= chosen[t * A + i] == e;
        if (taken) continue;
        if (best < 0 || router_beats(logits[t * E + e], logits[t * E + best])) best = e;
      }
      chosen[t * A + a] = best;
      const float exponential = (float)exp(-(double)logits[t * E + best]);
      scores[t * A + a] = rn(bf16, 1.0f / (1.0f + exponential));
    }
  }
}
