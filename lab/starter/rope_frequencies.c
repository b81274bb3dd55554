// Plain, or by Llama 3's scaling; every step is one binary32 rounding.
static void op_rope_frequencies(int bf16, int64_t J, double factor, double high_freq_factor,
                                double llama3, double low_freq_factor, double original,
                                double rope_theta, float* f) {
  const float low = (float)low_freq_factor, high = (float)high_freq_factor;
  const float band = high - low;
  (void)bf16;
  for (int64_t j = 0; j < J; ++j) {
    const float exponent = (float)(2 * j) / (float)(2 * J);
    const float period = (float)pow((double)(float)rope_theta, (double)exponent);
    const float plain = 1.0f / period;
    const float wavelength = 6.2831855f / plain;
    f[j] = plain;
    if (llama3 == 0.0) continue;
    if (wavelength > (float)original / low) {
      f[j] = plain / (float)factor;
    } else if (wavelength >= (float)original / high && band != 0.0f) {
      const float smooth = ((float)original / wavelength - low) / band;
      f[j] = ((1.0f - smooth) * plain) / (float)factor + smooth * plain;
    }
  }
}
