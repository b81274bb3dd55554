static void op_temperature(int bf16, int64_t T, int64_t H, int64_t D, const float* q,
                           const int64_t* positions, double attn_scale, double floor_scale,
                           float* y) {
  for (int64_t t = 0; t < T; ++t) {
    const float steps = floorf((float)(positions[t] + 1) / (float)floor_scale);
    const float growth = (float)log((double)(steps + 1.0f)) * (float)attn_scale;
    const float temperature = growth + 1.0f;
    for (int64_t i = t * H * D; i < (t + 1) * H * D; ++i) y[i] = rn(bf16, q[i] * temperature);
  }
}
