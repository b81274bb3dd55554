#include "reference/formats/require.h"

#include <gtest/gtest.h>

#include <stdexcept>
#include <string>
#include <type_traits>

namespace touchstone {
namespace {

TEST(Require, SaysFileLineAndCondition) {
  const int extent = 3;
  const int line = __LINE__ + 2;
  try {
    TOUCHSTONE_REQUIRE(extent == 4);
    FAIL() << "nothing was thrown";
  } catch (const ContractViolation& violation) {
    const std::string expected =
        std::string(__FILE__) + ":" + std::to_string(line) + ": needs extent == 4";
    EXPECT_EQ(violation.what(), expected);
  }
}

TEST(Require, HoldsInEveryBuildTypeAndLooksOnce) {
  int looked = 0;
  TOUCHSTONE_REQUIRE(++looked == 1);
  EXPECT_EQ(looked, 1);
  EXPECT_THROW(TOUCHSTONE_REQUIRE(++looked == 1), ContractViolation);
  EXPECT_EQ(looked, 2);
}

TEST(Require, IsOneStatement) {
  bool reached = false;
  if (reached)
    TOUCHSTONE_REQUIRE(false);
  else
    reached = true;
  EXPECT_TRUE(reached);
}

TEST(Require, AViolationIsTheCallersMistake) {
  static_assert(std::is_base_of_v<std::logic_error, ContractViolation>);
  static_assert(!std::is_base_of_v<std::runtime_error, ContractViolation>);
}

}  // namespace
}  // namespace touchstone
