#include "lab/model/number_list.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "lab/errors.h"

namespace touchstone::lab {
namespace {

using Numbers = std::vector<int64_t>;

TEST(NumberList, ReadsNumbersAndRanges) {
  EXPECT_EQ(NumberList("--x", "0", 9), (Numbers{0}));
  EXPECT_EQ(NumberList("--x", "3,1,2", 9), (Numbers{3, 1, 2}));
  EXPECT_EQ(NumberList("--x", "1, 2\n7-9 0-0", 9), (Numbers{1, 2, 7, 8, 9, 0}));
}

TEST(NumberList, RefusesEverythingElseAndSaysWhere) {
  const std::vector<std::pair<std::string, std::string>> wrong = {
      {"", "the list ends where a number is missing"},
      {"1,", "the list ends where a number is missing"},
      {",1", "no number at character 1"},
      {"1,,2", "no number at character"},
      {"a", "no number at character 1"},
      {"-1", "no number at character 1"},
      {"1;2", "no number at character 2"},
      {"3-1", "the range 3-1 runs backwards"},
      {"1-", "the list ends where a number is missing"},
      {"10", "10 is too large"},
      {"99999999999999999999", "too large"}};
  for (const auto& [text, says] : wrong) {
    SCOPED_TRACE(text);
    try {
      NumberList("--layers", text, 9);
      ADD_FAILURE() << "not refused";
    } catch (const UsageError& error) {
      EXPECT_NE(std::string(error.what()).find(says), std::string::npos) << error.what();
      EXPECT_NE(std::string(error.what()).find("--layers"), std::string::npos);
    }
  }
  EXPECT_THROW(NumberList("--x", "0-99999999", int64_t{1} << 40), UsageError);
}

}  // namespace
}  // namespace touchstone::lab
