#include "reference/model/text_config.h"

#include <gtest/gtest.h>

#include "reference/formats/require.h"

namespace touchstone {
namespace {

int64_t CountLayers(const TextConfig& config, bool TextLayer::*kind) {
  int64_t count = 0;
  for (const TextLayer& layer : config.layers) count += layer.*kind ? 1 : 0;
  return count;
}

// The vision tower, adapter and projection that Scout and Maverick share, from their shapes.
int64_t PublishedVisionParameters() {
  const int64_t width = 1408, inner = 5632, patch = 3 * 14 * 14, patches = 576, projected = 4096;
  const int64_t norm = 2 * width;
  const int64_t attention = 4 * (width * width + width);
  const int64_t mlp = width * inner + inner + inner * width + width;
  const int64_t class_and_positions = width + (patches + 1) * width;
  const int64_t adapter = 4 * width * projected + projected * projected;
  return patch * width + class_and_positions + 2 * norm + 34 * (2 * norm + attention + mlp) +
         adapter + projected * 5120;
}

TEST(TextConfig, ScoutHasThePublishedNumberOfParameters) {
  EXPECT_EQ(ParameterCount(Scout()), 107769861120);
  EXPECT_EQ(ParameterCount(Scout()) + PublishedVisionParameters(), 108641793536);
}

TEST(TextConfig, MaverickAndGuardHaveTheirPublishedRoundNumbers) {
  // Published: 400 and 12 billion, of Scout and Maverick 17 billion at work for a token.
  EXPECT_EQ(ParameterCount(Maverick()), 400711848960);
  EXPECT_EQ(ParameterCount(LlamaGuard4()), 11129164800);
  EXPECT_EQ(ActiveParameterCount(Scout()) / 1000000000, 17);
  EXPECT_EQ(ActiveParameterCount(Maverick()) / 1000000000, 17);
  EXPECT_EQ((ParameterCount(LlamaGuard4()) + PublishedVisionParameters()) / 1000000000, 12);
  EXPECT_EQ(ActiveParameterCount(LlamaGuard4()), ParameterCount(LlamaGuard4()));
}

TEST(TextConfig, LayerCountsAndTheRestMakeTheWhole) {
  for (TextConfig config : {Scout(), Maverick(), LlamaGuard4()}) {
    int64_t rest = 2 * config.vocabulary * config.channels + config.channels;
    for (int64_t layer = 0; layer < 48; ++layer) rest += LayerParameterCount(config, layer);
    EXPECT_EQ(rest, ParameterCount(config));
    config.tied_lm_head = true;
    EXPECT_EQ(rest - 202048 * 5120, ParameterCount(config));
  }
}

TEST(TextConfig, ScoutHasNoRopeInEveryFourthLayer) {
  const TextConfig scout = Scout();
  ASSERT_EQ(scout.layers.size(), 48u);
  for (int64_t l = 0; l < 48; ++l) {
    const bool nope = l % 4 == 3;
    EXPECT_EQ(scout.layers[static_cast<size_t>(l)],
              (TextLayer{.has_rope = !nope, .is_chunked = !nope, .is_moe = true}));
    EXPECT_EQ(ChunkOf(scout, l), nope ? 0 : 8192);
    EXPECT_EQ(HasQkNorm(scout, l), !nope);
    EXPECT_EQ(HasTemperature(scout, l), nope);
  }
}

TEST(TextConfig, MaverickIsDenseInEvenLayersWithoutQkNorm) {
  const TextConfig maverick = Maverick();
  EXPECT_EQ(CountLayers(maverick, &TextLayer::is_moe), 24);
  EXPECT_EQ(CountLayers(maverick, &TextLayer::has_rope), 36);
  EXPECT_FALSE(maverick.layers[0].is_moe);
  EXPECT_TRUE(maverick.layers[47].is_moe);
  EXPECT_FALSE(maverick.rope.llama3);
  for (int64_t l = 0; l < 48; ++l) EXPECT_FALSE(HasQkNorm(maverick, l));
}

TEST(TextConfig, GuardIsDenseAndGlobalWithRopeEverywhere) {
  const TextConfig guard = LlamaGuard4();
  EXPECT_EQ(CountLayers(guard, &TextLayer::is_moe), 0);
  EXPECT_EQ(CountLayers(guard, &TextLayer::is_chunked), 0);
  EXPECT_EQ(CountLayers(guard, &TextLayer::has_rope), 48);
  EXPECT_EQ(guard.dense_width, 8192);
}

TEST(TextConfig, NeighbouringQueryHeadsShareAKeyHead) {
  const TextConfig scout = Scout();
  EXPECT_EQ(QueryWidth(scout), 5120);
  EXPECT_EQ(KvWidth(scout), 1024);
  for (int64_t h = 0; h < 40; ++h) EXPECT_EQ(KvHeadOf(scout, h), h / 5);
  EXPECT_THROW(KvHeadOf(scout, 40), ContractViolation);
  EXPECT_THROW(KvHeadOf(scout, -1), ContractViolation);
  EXPECT_THROW(ChunkOf(scout, 48), ContractViolation);
  EXPECT_THROW(HasQkNorm(scout, -1), ContractViolation);
}

TEST(TextConfig, PatternsCountFromOne) {
  const std::vector<TextLayer> layers = PatternedLayers(4, 2, false, 3);
  ASSERT_EQ(layers.size(), 4u);
  const std::vector<bool> rope = {true, false, true, false}, moe = {false, false, true, false};
  for (size_t l = 0; l < 4; ++l) {
    EXPECT_EQ(layers[l].has_rope, rope[l]);
    EXPECT_EQ(layers[l].is_moe, moe[l]);
    EXPECT_FALSE(layers[l].is_chunked);
  }
  EXPECT_THROW(PatternedLayers(4, -1, false, 0), ContractViolation);
}

}  // namespace
}  // namespace touchstone
