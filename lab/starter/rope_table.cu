// One thread an angle, which is rounded to binary32 before its cosine and sine are taken.
// touchstone: RopeTable<<<(T * J + kThreads - 1) / kThreads, kThreads>>>(T, J, f, positions, table)
__global__ void RopeTable(int64_t T, int64_t J, const float* f, const int64_t* positions,
                          float* table) {
  const int64_t i = int64_t{blockIdx.x} * kThreads + threadIdx.x;
  if (i >= T * J) return;
  const float angle = static_cast<float>(positions[i / J]) * f[i % J];
  table[2 * i] = static_cast<float>(cos(static_cast<double>(angle)));
  table[2 * i + 1] = static_cast<float>(sin(static_cast<double>(angle)));
}
