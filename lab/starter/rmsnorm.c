static void op_rmsnorm(int bf16, int64_t T, int64_t C, const float* x, const float* weight,
                       double eps, float* y) {
  for (int64_t t = 0; t < T; ++t) {
    float sum = 0.0f;
    for (int64_t c = 0; c < C; ++c) sum += x[t * C + c] * x[t * C + c];
    const float r = 1.0f / sqrtf(sum / (float)C + (float)eps);
    for (int64_t c = 0; c < C; ++c) {
      const float unit = rn(bf16, x[t * C + c] * r);
      y[t * C + c] = rn(bf16, unit * weight[c]);
    }
  }
}
