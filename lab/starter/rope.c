static void op_rope(int bf16, int64_t T, int64_t H, int64_t D, int64_t J, const float* x,
                    const float* table, float* y) {
  for (int64_t t = 0; t < T; ++t) {
    for (int64_t h = 0; h < H; ++h) {
      for (int64_t j = 0; j < J; ++j) {
        const int64_t i = (t * H + h) * D + 2 * j;
        const float cosine = table[(t * J + j) * 2], sine = table[(t * J + j) * 2 + 1];
        const float x0 = x[i], x1 = x[i + 1];
        y[i] = rn(bf16, x0 * cosine - x1 * sine);
        y[i + 1] = rn(bf16, x0 * sine + x1 * cosine);
      }
    }
  }
}
