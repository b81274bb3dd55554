static void op_qk_norm(int bf16, int64_t T, int64_t H, int64_t D, const float* x, double eps,
                       float* y) {
  for (int64_t head = 0; head < T * H; ++head) {
    float sum = 0.0f;
    for (int64_t d = 0; d < D; ++d) sum += x[head * D + d] * x[head * D + d];
    const float r = 1.0f / sqrtf(sum / (float)D + (float)eps);
    for (int64_t d = 0; d < D; ++d) y[head * D + d] = rn(bf16, x[head * D + d] * r);
  }
}
