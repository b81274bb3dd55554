// The decoder: a prefill, single tokens after it, other neighbours in the batch and other numbers
// of threads give the same bits, on layers of every kind, across the edges of chunks and of the
// blocks of N7; and the activations are those that activation_paths.h lists.
#include "reference/model/forward.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "reference/formats/philox.h"
#include "reference/model/activation_paths.h"
#include "reference/model/decoder.h"
#include "reference/model/generation.h"
#include "tests/model/memory_weights.h"

namespace touchstone {
namespace {

using Ids = std::vector<int64_t>;
using Activations = std::map<std::string, std::vector<std::byte>>;  // bytes in the order of tokens

// Chunked RoPE, global NoPE, dense and MoE layers, two experts a token; every optional op.
TextConfig SmallModel(int64_t chunk) {
  TextConfig config;
  config.vocabulary = 40;
  config.channels = 12;
  config.heads = 4;
  config.kv_heads = 2;
  config.head_width = 6;
  config.dense_width = 10;
  config.experts = 5;
  config.experts_a_token = 2;
  config.expert_width = 7;
  config.rms_norm_eps = 1e-5;
  config.rope.theta = 10000.0;
  config.use_qk_norm = true;
  config.attn_temperature_tuning = true;
  config.floor_scale = 4.0;
  config.attn_scale = 0.1;
  config.attention_chunk_size = chunk;
  config.layers = PatternedLayers(4, 3, chunk > 0, 2);
  return config;
}

Ids SomeIds(int64_t count, int64_t vocabulary, uint32_t tensor) {
  Ids ids;
  for (int64_t i = 0; i < count; ++i) {
    ids.push_back(PhiloxWord(3, tensor, static_cast<uint64_t>(i)) % vocabulary);
  }
  return ids;
}

// Every activation of one sequence of a batch.
Activations ActivationsOf(const TextConfig& config, Dtype recipe, const std::vector<Ids>& batch,
                          int64_t wanted, int64_t prefill, int threads = 1) {
  MemoryWeights weights(config, recipe, 7);
  Activations bytes;
  std::map<std::string, int64_t> next;  // each row once, in the order of tokens
  Forward(config, &weights, batch, {prefill, threads, {}, {}},
          [&](const std::string& path, int64_t sequence, int64_t first, const Tensor& rows) {
            if (sequence != wanted) return;
            EXPECT_EQ(next[path], first) << path;
            next[path] += rows.shape.at(0);
            bytes[path].insert(bytes[path].end(), rows.data.begin(), rows.data.end());
          });
  return bytes;
}

void ExpectSame(const Activations& a, const Activations& b) {
  ASSERT_EQ(a.size(), b.size());
  for (const auto& [path, bytes] : a) {
    EXPECT_TRUE(b.contains(path) && b.at(path) == bytes) << path;
  }
}

class Recipes : public testing::TestWithParam<Dtype> {};

TEST_P(Recipes, ActivationsAreThoseOfTheList) {
  const TextConfig config = SmallModel(5);
  const Activations got = ActivationsOf(config, GetParam(), {SomeIds(9, 40, 1)}, 0, 0);
  const std::vector<std::string> paths = ActivationPaths(config);
  const std::set<std::string> wanted(paths.begin(), paths.end());
  EXPECT_EQ(wanted.size(), paths.size());
  for (const std::string& path : wanted) EXPECT_TRUE(got.contains(path)) << path;
  for (const auto& [path, bytes] : got) EXPECT_TRUE(wanted.contains(path)) << path;
}

TEST_P(Recipes, PrefillEqualsDecodeAcrossChunkEdges) {
  const TextConfig config = SmallModel(5);
  const Ids ids = SomeIds(17, 40, 2);
  const Activations whole = ActivationsOf(config, GetParam(), {ids}, 0, 0);
  for (const int64_t prefill : {1, 4, 5, 6, 10, 16, 17, 100}) {
    SCOPED_TRACE(prefill);
    ExpectSame(whole, ActivationsOf(config, GetParam(), {ids}, 0, prefill));
  }
}

TEST_P(Recipes, PrefillEqualsDecodeAcrossBlockEdges) {
  // Blocks of 512 keys by absolute position, two edges; and a chunk edge inside a block, at 600.
  // One layer of each kind of attention: a thousand tokens take long under the sanitizers.
  TextConfig config = SmallModel(600);
  config.layers = PatternedLayers(2, 2, true, 2);
  config.heads = config.kv_heads = 1;
  const Ids ids = SomeIds(1030, 40, 3);
  const Activations whole = ActivationsOf(config, GetParam(), {ids}, 0, 0);
  for (const int64_t prefill : {511, 512, 599, 1024}) {
    SCOPED_TRACE(prefill);
    ExpectSame(whole, ActivationsOf(config, GetParam(), {ids}, 0, prefill));
  }
}

TEST_P(Recipes, ABatchGivesEachSequenceTheBitsThatItHasAlone) {
  const TextConfig config = SmallModel(5);
  const std::vector<Ids> batch = {SomeIds(9, 40, 4), SomeIds(1, 40, 5), SomeIds(14, 40, 6)};
  for (size_t b = 0; b < batch.size(); ++b) {
    SCOPED_TRACE(b);
    const Activations alone = ActivationsOf(config, GetParam(), {batch[b]}, 0, 0);
    ExpectSame(alone, ActivationsOf(config, GetParam(), batch, static_cast<int64_t>(b), 0));
    ExpectSame(alone, ActivationsOf(config, GetParam(), batch, static_cast<int64_t>(b), 3));
  }
}

TEST_P(Recipes, ThreadsNeverReachABit) {
  const TextConfig config = SmallModel(5);
  const Ids ids = SomeIds(17, 40, 7);
  ExpectSame(ActivationsOf(config, GetParam(), {ids}, 0, 0, 1),
             ActivationsOf(config, GetParam(), {ids}, 0, 0, 3));
}

TEST_P(Recipes, GenerationTakesWhatTheForwardPassSays) {
  const TextConfig config = SmallModel(5);
  MemoryWeights weights(config, GetParam(), 7);
  const Ids prompt = SomeIds(4, 40, 8);
  GenerationChoice choice;
  choice.max_new = 12;
  Ids seen;
  const Ids taken = Generate(config, &weights, prompt, choice, [&seen](int64_t token) {
    seen.push_back(token);
    return true;
  });
  EXPECT_EQ(taken, seen);
  ASSERT_EQ(taken.size(), 12u);

  // Teacher-forced over the whole text: each row's largest logit, lowest index among equals.
  Ids text = prompt;
  text.insert(text.end(), taken.begin(), taken.end());
  const Activations all = ActivationsOf(config, GetParam(), {text}, 0, 0);
  const auto* logits = reinterpret_cast<const float*>(all.at("output/logits").data());
  for (size_t i = 0; i < taken.size(); ++i) {
    const float* row = logits + (prompt.size() + i - 1) * 40;
    EXPECT_EQ(std::max_element(row, row + 40) - row, taken[i]) << i;
  }
}

TEST_P(Recipes, GenerationEndsAtAnEndTokenAndWhereTheSinkSaysSo) {
  const TextConfig config = SmallModel(5);
  MemoryWeights weights(config, GetParam(), 7);
  GenerationChoice choice;
  choice.max_new = 6;
  const Ids all = Generate(config, &weights, {1, 2}, choice);
  choice.ends = {all.at(2)};
  const auto first = std::find(all.begin(), all.end(), all.at(2)) - all.begin() + 1;
  EXPECT_EQ(Generate(config, &weights, {1, 2}, choice), Ids(all.begin(), all.begin() + first));
  choice.ends = {};
  EXPECT_EQ(Generate(config, &weights, {1, 2}, choice, [](int64_t) { return false; }).size(), 1u);
  choice.max_new = 0;
  EXPECT_TRUE(Generate(config, &weights, {1, 2}, choice).empty());
}

TEST_P(Recipes, SampledGenerationIsReproducible) {
  const TextConfig config = SmallModel(5);
  MemoryWeights weights(config, GetParam(), 7);
  GenerationChoice choice;
  choice.max_new = 24;
  choice.sampling = {1.5, 0.9, 11};
  const Ids once = Generate(config, &weights, {1, 2}, choice);
  EXPECT_EQ(once, Generate(config, &weights, {1, 2}, choice));
  choice.sampling.seed = 12;
  EXPECT_NE(once, Generate(config, &weights, {1, 2}, choice));
}

INSTANTIATE_TEST_SUITE_P(Both, Recipes, testing::Values(Dtype::kF32, Dtype::kBf16),
                         [](const auto& instance) { return std::string(Name(instance.param)); });

TEST(Forward, RefusesWhatIsNoInput) {
  const TextConfig config = SmallModel(5);
  MemoryWeights weights(config, Dtype::kF32, 7);
  EXPECT_THROW(Forward(config, &weights, {{}}, {}, {}), ContractViolation);
  EXPECT_THROW(Forward(config, &weights, {{40}}, {}, {}), ContractViolation);
  EXPECT_THROW(Forward(config, &weights, {{-1}}, {}, {}), ContractViolation);
  EXPECT_THROW(Generate(config, &weights, {}, {}), ContractViolation);
}

}  // namespace
}  // namespace touchstone
