// Preconditions. They hold in every build type: the reference is a specification first.
#pragma once

#include <stdexcept>
#include <string>

namespace touchstone {

// Thrown where a caller breaks an op's written contract. The text names file, line and condition.
class ContractViolation : public std::logic_error {
 public:
  using std::logic_error::logic_error;
};

}  // namespace touchstone

#define TOUCHSTONE_REQUIRE(condition)                                                          \
  do {                                                                                         \
    if (!(condition)) {                                                                        \
      throw ::touchstone::ContractViolation(std::string(__FILE__) + ":" +                      \
                                            std::to_string(__LINE__) + ": needs " #condition); \
    }                                                                                          \
  } while (false)
