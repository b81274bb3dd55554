// y is f32 in every recipe; the rounding to storage comes first.
static void op_logits(int bf16, int64_t T, int64_t C, int64_t V, const float* x,
                      const float* weight, float* y) {
  for (int64_t t = 0; t < T; ++t) {
    for (int64_t v = 0; v < V; ++v) {
      float sum = 0.0f;
      for (int64_t c = 0; c < C; ++c) sum += x[t * C + c] * weight[v * C + c];
      y[t * V + v] = rn(bf16, sum);
    }
  }
}
