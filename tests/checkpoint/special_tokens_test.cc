#include "reference/checkpoint/special_tokens.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "reference/checkpoint/bad_checkpoint.h"

namespace touchstone::checkpoint {
namespace {

using nlohmann::json;
using Ids = std::vector<int64_t>;

struct ReadTokens {
  SpecialTokens tokens;
  std::vector<std::string> notes;
};

ReadTokens TokensOf(const std::string& config) {
  ReadTokens read;
  read.tokens = ReadSpecialTokens(json::parse(config), "config.json", 300, &read.notes);
  return read;
}

TEST(SpecialTokens, EachOfAListOfEndTokensEndsAText) {
  const ReadTokens read = TokensOf(R"({"bos_token_id": 256, "eos_token_id": [257, 258, 259]})");
  EXPECT_EQ(read.tokens.begin, 256);
  EXPECT_EQ(read.tokens.ends, (Ids{257, 258, 259}));
  EXPECT_EQ(TokensOf(R"({"eos_token_id": 257})").tokens.ends, (Ids{257}));
  EXPECT_EQ(TokensOf(R"({"eos_token_id": null})").tokens, SpecialTokens{});
  EXPECT_EQ(TokensOf("{}").tokens, SpecialTokens{});
}

TEST(SpecialTokens, OfTheTextComeBeforeTheOuterOnes) {
  const ReadTokens read = TokensOf(R"({"text_config": {"eos_token_id": [3, 4]}, "bos_token_id": 1,
                                       "eos_token_id": 2, "image_token_index": 5})");
  EXPECT_EQ(read.tokens.begin, 1);
  EXPECT_EQ(read.tokens.ends, (Ids{3, 4}));
  EXPECT_EQ(read.tokens.image, 5);
  EXPECT_TRUE(read.notes.empty());
}

TEST(SpecialTokens, OutsideTheVocabularyAreLeftOutAndNoted) {
  const ReadTokens read = TokensOf(R"({"eos_token_id": [299, 300, -1]})");
  EXPECT_EQ(read.tokens.ends, (Ids{299}));
  ASSERT_EQ(read.notes.size(), 2u);
  EXPECT_NE(read.notes[0].find("eos_token_id is 300"), std::string::npos) << read.notes[0];
  EXPECT_NE(read.notes[0].find("300 tokens"), std::string::npos) << read.notes[0];
}

TEST(SpecialTokens, OfAnotherTypeAreRefused) {
  EXPECT_THROW(TokensOf(R"({"eos_token_id": "end"})"), BadCheckpoint);
  EXPECT_THROW(TokensOf(R"({"eos_token_id": [1, 2.5]})"), BadCheckpoint);
  EXPECT_THROW(TokensOf(R"({"bos_token_id": true})"), BadCheckpoint);
}

}  // namespace
}  // namespace touchstone::checkpoint
