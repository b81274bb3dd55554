// Larger for larger logits; both zeros are one.
__device__ inline unsigned OrderOf(float x) {
  const unsigned bits = __float_as_uint(x == 0.0f ? 0.0f : x);
  return bits >> 31 != 0 ? ~bits : bits | 0x80000000u;
}

// Philox4x32-10, counter (position, 0, 0, 1): its first two words as one number.
__device__ inline uint64_t RandomOf(uint32_t position, uint64_t seed) {
  uint32_t c[4] = {position, 0, 0, 1};
  uint32_t key0 = static_cast<uint32_t>(seed), key1 = static_cast<uint32_t>(seed >> 32);
  for (int round = 0; round < 10; ++round) {
    const uint64_t p0 = uint64_t{0xd2511f53u} * c[0], p1 = uint64_t{0xcd9e8d57u} * c[2];
    const uint32_t c1 = c[1], c3 = c[3];
    c[0] = static_cast<uint32_t>(p1 >> 32) ^ c1 ^ key0;
    c[1] = static_cast<uint32_t>(p1);
    c[2] = static_cast<uint32_t>(p0 >> 32) ^ c3 ^ key1;
    c[3] = static_cast<uint32_t>(p0);
    key0 += 0x9e3779b9u;
    key1 += 0xbb67ae85u;
  }
  return static_cast<uint64_t>(c[1]) << 32 | c[0];
}

__device__ inline uint64_t HighProduct(uint64_t a, uint64_t b) {
  const uint64_t a0 = a & 0xffffffffu, a1 = a >> 32, b0 = b & 0xffffffffu, b1 = b >> 32;
  const uint64_t middle0 = a1 * b0 + (a0 * b0 >> 32);
  const uint64_t middle1 = a0 * b1 + (middle0 & 0xffffffffu);
  return a1 * b1 + (middle0 >> 32) + (middle1 >> 32);
}

// A row of logits at a temperature, and its tokens' weights of 2^-40.
struct Row {
  const float* logits;
  int64_t V;
  float temperature, largest;

  __device__ uint64_t Weight(int64_t v) const {
    const float z = logits[v] / temperature - largest / temperature;
    const float e = static_cast<float>(exp(static_cast<double>(z)));
    return static_cast<uint64_t>(floor(static_cast<double>(e) * 1099511627776.0));
  }
  // Of the tokens whose logit's order is above a bound.
  __device__ uint64_t WeightAbove(uint64_t order) const {
    uint64_t sum = 0;
    for (int64_t v = 0; v < V; ++v) sum += OrderOf(logits[v]) > order ? Weight(v) : 0;
    return sum;
  }
};

// One thread a row. Without memory to sort in, the least logit that is kept is found by halving:
// the sum of the weights above a bound falls as the bound rises.
// touchstone: Sampling<<<(B + kThreads - 1) / kThreads, kThreads>>>
//             (B, V, logits, positions, sampling_seed, temperature, top_p, taken)
__global__ void Sampling(int64_t B, int64_t V, const float* logits, const int64_t* positions,
                         int64_t sampling_seed, double temperature, double top_p, int64_t* taken) {
  const int64_t b = int64_t{blockIdx.x} * kThreads + threadIdx.x;
  if (b >= B) return;
  Row row = {logits + b * V, V, static_cast<float>(temperature), logits[b * V]};
  taken[b] = 0;
  for (int64_t v = 1; v < V; ++v) {
    if (!(row.logits[v] > row.largest)) continue;
    row.largest = row.logits[v];
    taken[b] = v;
  }
  if (temperature == 0.0) return;

  uint64_t all = 0;
  for (int64_t v = 0; v < V; ++v) all += row.Weight(v);
  const double limit = top_p * static_cast<double>(all);
  uint64_t low = 0, high = OrderOf(row.largest);  // the bound lies between them, both included
  while (low < high) {
    const uint64_t middle = (low + high) / 2;
    if (static_cast<double>(row.WeightAbove(middle)) <= limit) {
      high = middle;
    } else {
      low = middle + 1;
    }
  }
  // Of tokens with that logit those are kept before which no more than the limit lies.
  const uint64_t above = row.WeightAbove(low);
  uint64_t kept = above;
  int64_t last = -1;
  for (int64_t v = 0; v < V; ++v) {
    if (OrderOf(row.logits[v]) != low || static_cast<double>(kept) > limit) continue;
    kept += row.Weight(v);
    last = v;
  }
  const uint64_t seed = static_cast<uint64_t>(sampling_seed) + static_cast<uint64_t>(b);
  const uint64_t r = HighProduct(RandomOf(static_cast<uint32_t>(positions[b]), seed), kept);
  uint64_t prefix = 0;
  for (int64_t v = 0; v < V; ++v) {
    const unsigned order = OrderOf(row.logits[v]);
    if (order < low || (order == low && v > last)) continue;
    prefix += row.Weight(v);
    if (prefix <= r) continue;
    taken[b] = v;
    return;
  }
}
