// One thread a frequency, plain or by Llama 3's scaling; every step is one binary32 rounding.
// touchstone: RopeFrequencies<<<(J + kThreads - 1) / kThreads, kThreads>>>
//             (J, rope_theta, llama3, factor, low_freq_factor, high_freq_factor,
//              original_max_position_embeddings, f)
__global__ void RopeFrequencies(int64_t J, float theta, int64_t llama3, float factor, float low,
                                float high, float original, float* f) {
  const int64_t j = int64_t{blockIdx.x} * kThreads + threadIdx.x;
  if (j >= J) return;
  const float exponent = static_cast<float>(2 * j) / static_cast<float>(2 * J);
  const float period =
      static_cast<float>(pow(static_cast<double>(theta), static_cast<double>(exponent)));
  const float plain = 1.0f / period;
  const float wavelength = 6.2831855f / plain;
  const float band = high - low;
  f[j] = plain;
  if (llama3 == 0) return;
  if (wavelength > original / low) {
    f[j] = plain / factor;
  } else if (wavelength >= original / high && band != 0.0f) {
    const float smooth = (original / wavelength - low) / band;
    f[j] = ((1.0f - smooth) * plain) / factor + smooth * plain;
  }
}
