static float attention_score(int64_t D, const float* q, const float* key) {
  float sum = 0.0f;
  for (int64_t d = 0; d < D; ++d) sum += q[d] * key[d];
  return sum * (float)(1.0 / sqrt((double)D));
}

// Softmax in two passes over the visible keys: the largest score, then the weighted sum.
static void op_attention(int bf16, int64_t T, int64_t H, int64_t D, int64_t S, int64_t G,
                         const float* q, const float* keys, const float* values,
                         const int64_t* positions, double chunk, float* y) {
  const int64_t K = (int64_t)chunk;
  for (int64_t t = 0; t < T; ++t) {
    const int64_t begin = K > 0 ? positions[t] / K * K : 0;
    const int64_t end = positions[t] + 1 < S ? positions[t] + 1 : S;
    for (int64_t h = 0; h < H; ++h) {
      const int64_t g = h / (H / G);
      const float* q_th = q + (t * H + h) * D;
      float* y_th = y + (t * H + h) * D;
      float largest = -INFINITY, l = 0.0f;
      for (int64_t j = begin; j < end; ++j) {
        const float s = attention_score(D, q_th, keys + (j * G + g) * D);
        if (s > largest) largest = s;
      }
      for (int64_t d = 0; d < D; ++d) y_th[d] = 0.0f;
      for (int64_t j = begin; j < end; ++j) {
        const float s = attention_score(D, q_th, keys + (j * G + g) * D);
        const float p = (float)exp((double)(s - largest));
        l += p;
        for (int64_t d = 0; d < D; ++d) y_th[d] += p * values[(j * G + g) * D + d];
      }
      for (int64_t d = 0; d < D && begin < end; ++d) y_th[d] = rn(bf16, y_th[d] / l);
    }
  }
}
