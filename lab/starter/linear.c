static void op_linear(int bf16, int64_t T, int64_t C, int64_t F, const float* x,
                      const float* weight, float* y) {
  for (int64_t t = 0; t < T; ++t) {
    for (int64_t f = 0; f < F; ++f) {
      float sum = 0.0f;
      for (int64_t c = 0; c < C; ++c) sum += x[t * C + c] * weight[f * C + c];
      y[t * F + f] = rn(bf16, sum);
    }
  }
}
