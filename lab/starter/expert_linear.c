// Rows offsets[e] to offsets[e + 1] - 1 belong to expert e.
static void op_expert_linear(int bf16, int64_t R, int64_t C, int64_t E, int64_t F, int64_t O,
                             const float* x, const float* weight, const int64_t* offsets,
                             float* y) {
  (void)R;
  (void)O;
  for (int64_t e = 0; e < E; ++e) {
    for (int64_t r = offsets[e]; r < offsets[e + 1]; ++r) {
      for (int64_t f = 0; f < F; ++f) {
        float sum = 0.0f;
        for (int64_t c = 0; c < C; ++c) sum += x[r * C + c] * weight[(e * F + f) * C + c];
        y[r * F + f] = rn(bf16, sum);
      }
    }
  }
}
