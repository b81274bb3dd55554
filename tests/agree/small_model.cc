#include "tests/agree/small_model.h"

#include <algorithm>

#include "golden/hdf5_file.h"
#include "reference/model/forward.h"

namespace touchstone {
namespace {

int64_t OneOf(std::mt19937* random, std::initializer_list<int64_t> values) {
  return values.begin()[(*random)() % values.size()];
}

}  // namespace

TextConfig SmallConfig(uint32_t seed) {
  std::mt19937 random(seed);
  TextConfig config;
  config.vocabulary = OneOf(&random, {37, 50, 64});
  config.channels = OneOf(&random, {24, 40, 72});
  config.kv_heads = OneOf(&random, {2, 3});
  config.heads = config.kv_heads * OneOf(&random, {2, 3});
  config.head_width = OneOf(&random, {6, 10, 12});
  config.dense_width = OneOf(&random, {20, 33});
  config.experts = OneOf(&random, {4, 5, 9});
  config.experts_a_token = OneOf(&random, {1, 2, 3});
  config.expert_width = OneOf(&random, {12, 17});
  config.rms_norm_eps = 1e-3;
  config.rope = {100.0, true, 8.0, 1.0, 4.0, 32.0};
  config.use_qk_norm = true;
  config.attn_temperature_tuning = true;
  config.floor_scale = static_cast<double>(OneOf(&random, {3, 4}));
  config.attn_scale = 0.3;
  config.attention_chunk_size = OneOf(&random, {4, 5, 7});
  config.layers = PatternedLayers(4, OneOf(&random, {2, 3}), true, OneOf(&random, {2, 3}));
  return config;
}

SmallInputs RandomInputs(const TextConfig& config, std::vector<int64_t> lengths, uint32_t seed) {
  std::mt19937 random(seed);
  SmallInputs inputs;
  for (const int64_t length : lengths) {
    inputs.sequences.emplace_back();
    for (int64_t t = 0; t < length; ++t) {
      inputs.sequences.back().push_back(
          static_cast<int64_t>(random() % static_cast<uint32_t>(config.vocabulary)));
    }
  }
  return inputs;
}

void WriteRecording(const std::string& file, const TextConfig& config, TextWeights* weights,
                    const SmallInputs& inputs, const Naming& naming, const Spoil& spoil) {
  const int64_t B = static_cast<int64_t>(inputs.sequences.size());
  ForwardChoice choice;
  choice.prefill = inputs.prefill;
  std::map<std::string, Tensor> tensors =
      WholeActivations(config, weights, inputs.sequences, choice);
  const int64_t T = tensors.at("embedding").shape.at(1);

  golden::Writer writer(file);
  Tensor ids(Dtype::kI64, {B, T}), lengths(Dtype::kI64, {B});
  for (int64_t b = 0; b < B; ++b) {
    const auto& sequence = inputs.sequences[static_cast<size_t>(b)];
    lengths.values<int64_t>()[b] = static_cast<int64_t>(sequence.size());
    std::copy(sequence.begin(), sequence.end(), ids.values<int64_t>() + b * T);
  }
  writer.Write("input/input_ids", ids);
  writer.Write("input/lengths", lengths);
  for (auto& [path, tensor] : tensors) {
    const std::optional<std::string> name = naming ? naming(path) : path;
    if (!name) continue;
    if (spoil) spoil(path, &tensor);
    writer.Write(*name, tensor);
    if (name->ends_with("logits_decode")) {
      writer.WriteNumber(*name, "prefill", static_cast<double>(inputs.prefill));
    }
  }
  writer.Close();
}

}  // namespace touchstone
