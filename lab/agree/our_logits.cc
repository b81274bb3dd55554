#include "lab/agree/our_logits.h"

#include <algorithm>

#include "reference/model/decoder.h"

namespace touchstone::lab {

Tensor OurLogits(const TextConfig& config, TextWeights* weights, RecordedSequence& recorded,
                 int64_t image_token) {
  const std::vector<int64_t>& ids = recorded.ids();
  const Decoder decoder(config, weights);
  const int64_t count = static_cast<int64_t>(ids.size());
  Tensor h = decoder.Embed(ids);
  const bool has_images =
      image_token >= 0 && std::find(ids.begin(), ids.end(), image_token) != ids.end();
  if (has_images) {
    if (const std::optional<Tensor> fused = recorded.Find("fused_embedding")) {
      h.data = fused->data;
    }
  }
  const Tensor table = decoder.RotaryTable(0, count);
  for (int64_t layer = 0; layer < static_cast<int64_t>(config.layers.size()); ++layer) {
    KvCache cache(config, weights->storage(), count);
    h = decoder.RunLayer(layer, h, table, &cache);
  }
  return decoder.RunLogits(h);
}

}  // namespace touchstone::lab
