typedef struct {
  float logit;
  int64_t id;
  uint64_t weight;
} sampling_token;

static int sampling_by_logit(const void* a, const void* b) {
  const sampling_token* x = (const sampling_token*)a;
  const sampling_token* y = (const sampling_token*)b;
  if (x->logit != y->logit) return x->logit > y->logit ? -1 : 1;
  return x->id < y->id ? -1 : 1;
}

static int sampling_by_id(const void* a, const void* b) {
  return ((const sampling_token*)a)->id < ((const sampling_token*)b)->id ? -1 : 1;
}

// Philox4x32-10, counter (position, 0, 0, 1): its first two words as one number.
static uint64_t sampling_random(uint32_t position, uint64_t seed) {
  uint32_t c[4] = {position, 0, 0, 1};
  uint32_t key0 = (uint32_t)seed, key1 = (uint32_t)(seed >> 32);
  for (int round = 0; round < 10; ++round) {
    const uint64_t p0 = (uint64_t)0xd2511f53u * c[0], p1 = (uint64_t)0xcd9e8d57u * c[2];
    const uint32_t c1 = c[1], c3 = c[3];
    c[0] = (uint32_t)(p1 >> 32) ^ c1 ^ key0;
    c[1] = (uint32_t)p1;
    c[2] = (uint32_t)(p0 >> 32) ^ c3 ^ key1;
    c[3] = (uint32_t)p0;
    key0 += 0x9e3779b9u;
    key1 += 0xbb67ae85u;
  }
  return (uint64_t)c[1] << 32 | c[0];
}

static uint64_t sampling_high_product(uint64_t a, uint64_t b) {
  const uint64_t a0 = a & 0xffffffffu, a1 = a >> 32, b0 = b & 0xffffffffu, b1 = b >> 32;
  const uint64_t middle0 = a1 * b0 + (a0 * b0 >> 32);
  const uint64_t middle1 = a0 * b1 + (middle0 & 0xffffffffu);
  return a1 * b1 + (middle0 >> 32) + (middle1 >> 32);
}

// The token that is drawn, of V that are sorted by logit.
static int64_t sampling_draw(int64_t V, sampling_token* tokens, double top_p, uint64_t random) {
  uint64_t all = 0, before = 0, kept = 0, prefix = 0;
  int64_t count = 0;
  for (int64_t i = 0; i < V; ++i) all += tokens[i].weight;
  while (count < V && (count == 0 || (double)before <= top_p * (double)all)) {
    before += tokens[count++].weight;
  }
  kept = before;
  qsort(tokens, (size_t)count, sizeof(sampling_token), sampling_by_id);
  const uint64_t r = sampling_high_product(random, kept);
  for (int64_t i = 0; i < count; ++i) {
    prefix += tokens[i].weight;
    if (prefix > r) return tokens[i].id;
  }
  return -1;
}

static void op_sampling(int bf16, int64_t B, int64_t V, const float* logits,
                        const int64_t* positions, double sampling_seed, double temperature,
                        double top_p, int64_t* taken) {
  sampling_token* tokens = (sampling_token*)malloc((size_t)V * sizeof(sampling_token));
  if (tokens == NULL) abort();
  (void)bf16;
  for (int64_t b = 0; b < B; ++b) {
    const float T = (float)temperature;
    for (int64_t v = 0; v < V; ++v) {
      const sampling_token token = {logits[b * V + v], v, 0};
      tokens[v] = token;
    }
    qsort(tokens, (size_t)V, sizeof(sampling_token), sampling_by_logit);
    taken[b] = tokens[0].id;
    if (temperature == 0.0) continue;
    for (int64_t v = 0; v < V; ++v) {
      const float z = tokens[v].logit / T - tokens[0].logit / T;
      tokens[v].weight = (uint64_t)floor((double)(float)exp((double)z) * 1099511627776.0);
    }
    const uint64_t seed = (uint64_t)sampling_seed + (uint64_t)b;
    taken[b] = sampling_draw(V, tokens, top_p, sampling_random((uint32_t)positions[b], seed));
  }
  free(tokens);
}
