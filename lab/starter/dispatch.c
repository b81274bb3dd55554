// Expert by expert, its tokens in ascending order. O is the number of experts and one more.
static void op_dispatch(int bf16, int64_t T, int64_t C, int64_t A, int64_t R, int64_t O,
                        const float* x, const int64_t* chosen, const float* scores, float* rows,
                        int64_t* row_token, int64_t* offsets) {
  int64_t r = 0;
  for (int64_t e = 0; e < O - 1; ++e) {
    offsets[e] = r;
    for (int64_t i = 0; i < T * A; ++i) {
      if (chosen[i] != e || r == R) continue;
      for (int64_t c = 0; c < C; ++c) rows[r * C + c] = rn(bf16, x[i / A * C + c] * scores[i]);
      row_token[r++] = i / A;
    }
  }
  offsets[O - 1] = r;
}
