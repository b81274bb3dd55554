// One block a token.
// touchstone: Temperature<Storage><<<T, kThreads>>>
//             (H * D, q, positions, attn_scale, floor_scale, y)
template <typename Storage>
__global__ void Temperature(int64_t row, const Storage* q, const int64_t* positions,
                            float attn_scale, float floor_scale, Storage* y) {
  const int64_t t = blockIdx.x;
  const float steps = floorf(static_cast<float>(positions[t] + 1) / floor_scale);
  const float growth = static_cast<float>(log(static_cast<double>(steps + 1.0f))) * attn_scale;
  const float temperature = growth + 1.0f;
  for (int64_t i = t * row + threadIdx.x; i < (t + 1) * row; i += kThreads) {
    y[i] = Narrow<Storage>(Widen(q[i]) * temperature);
  }
}
