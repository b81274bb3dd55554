static void op_combine(int bf16, int64_t R, int64_t C, int64_t T, const float* rows,
                       const int64_t* row_token, float* y) {
  for (int64_t i = 0; i < T * C; ++i) y[i] = 0.0f;
  for (int64_t r = 0; r < R; ++r) {
    for (int64_t c = 0; c < C; ++c) y[row_token[r] * C + c] += rows[r * C + c];
  }
  for (int64_t i = 0; i < T * C; ++i) y[i] = rn(bf16, y[i]);
}
