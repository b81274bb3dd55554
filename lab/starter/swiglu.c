static void op_swiglu(int bf16, int64_t T, int64_t F, const float* gate, const float* up,
                      float* y) {
  for (int64_t i = 0; i < T * F; ++i) {
    const float exponential = (float)exp(-(double)gate[i]);
    const float silu = rn(bf16, gate[i] / (1.0f + exponential));
    y[i] = rn(bf16, silu * up[i]);
  }
}
