// The angle is rounded to binary32 before its cosine and sine are taken.
static void op_rope_table(int bf16, int64_t J, int64_t T, const float* f, const int64_t* positions,
                          float* table) {
  (void)bf16;
  for (int64_t t = 0; t < T; ++t) {
    for (int64_t j = 0; j < J; ++j) {
      const float angle = (float)positions[t] * f[j];
      table[(t * J + j) * 2] = (float)cos((double)angle);
      table[(t * J + j) * 2 + 1] = (float)sin((double)angle);
    }
  }
}
