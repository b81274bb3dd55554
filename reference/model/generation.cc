#include "reference/model/generation.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "reference/model/decoder.h"

namespace touchstone {
namespace {

// The logits of the last of some tokens, (1, V), after all layers have seen them.
Tensor LastLogits(const Decoder& decoder, const std::vector<int64_t>& ids,
                  std::vector<KvCache>* caches) {
  Tensor h = decoder.Embed(ids);
  const Tensor table = decoder.RotaryTable(caches->front().filled, h.shape[0]);
  for (size_t layer = 0; layer < caches->size(); ++layer) {
    (*caches)[layer].MakeRoom(h.shape[0]);
    h = decoder.RunLayer(static_cast<int64_t>(layer), h, table, &(*caches)[layer]);
  }
  const auto row_bytes = static_cast<std::ptrdiff_t>(h.data.size()) / h.shape[0];
  Tensor last(h.dtype, {1, h.shape[1]});
  std::copy_n(h.data.end() - row_bytes, row_bytes, last.data.begin());
  return decoder.RunLogits(last);
}

void RequireChoice(const Tensor& logits, int64_t position, const SamplingChoice& choice) {
  float largest = -INFINITY;
  bool has_nan = false;
  for (int64_t v = 0; v < logits.count(); ++v) {
    const float logit = logits.values<float>()[v];
    has_nan = has_nan || std::isnan(logit);
    largest = std::max(largest, logit);
  }
  const auto temperature = static_cast<float>(choice.temperature);
  const bool is_sampled = choice.temperature != 0.0;
  if (!has_nan && !(is_sampled && !std::isfinite(largest / temperature))) return;
  throw NoChoice("the logits of position " + std::to_string(position - 1) +
                 (has_nan ? " hold a NaN" : ", over the temperature, are not finite") +
                 ": no token can be chosen");
}

int64_t Taken(const Tensor& logits, int64_t position, const SamplingChoice& choice) {
  RequireChoice(logits, position, choice);
  Tensor positions(Dtype::kI64, {1}), taken(Dtype::kI64, {1});
  positions.values<int64_t>()[0] = position;
  Sampling(logits.As<float, 'B', 'V'>(), std::as_const(positions).As<int64_t, 'B'>(), choice,
           taken.As<int64_t, 'B'>());
  return taken.values<int64_t>()[0];
}

}  // namespace

std::vector<int64_t> Generate(const TextConfig& config, TextWeights* weights,
                              const std::vector<int64_t>& prompt, const GenerationChoice& choice,
                              const TokenSink& sink) {
  TOUCHSTONE_REQUIRE(!prompt.empty() && choice.max_new >= 0 && !config.layers.empty());
  const Decoder decoder(config, weights, choice.threads, choice.backend);
  const auto begin = static_cast<int64_t>(prompt.size());
  std::vector<KvCache> caches(config.layers.size(), KvCache(config, weights->storage(), begin));
  std::vector<int64_t> tokens;
  std::vector<int64_t> next = prompt;  // not yet seen by the layers
  while (static_cast<int64_t>(tokens.size()) < choice.max_new) {
    const int64_t position = begin + static_cast<int64_t>(tokens.size());
    const int64_t token = Taken(LastLogits(decoder, next, &caches), position, choice.sampling);
    tokens.push_back(token);
    const bool ends = std::find(choice.ends.begin(), choice.ends.end(), token) != choice.ends.end();
    if ((sink && !sink(token)) || ends) break;
    next = {token};
  }
  return tokens;
}

}  // namespace touchstone
