// What a bound may allow on top of its assumptions (enclosure.h): the two habits of real kernels
// whose errors have a derivation. A verdict under an allowance names it.
//
//   tf32            each operand of a contraction is rounded to 11 significant bits: off by 2^-11
//                   of its size, by 2^-137 where it is subnormal. An operand that has no more bits
//                   stays. Sums are in binary32
//   tf32_truncated  the other bits are cut off: 2^-10, 2^-136
//   ftz             any input, product, sum or output below 2^-126 may be read or stored as 0
//
// Which operations lose what is derived where the bound is: Contract and Underflow (enclosure.h),
// attention.cc for the sum over values.
#pragma once

#include <string>

namespace touchstone::exact {

struct Allowance {
  bool tf32 = false;
  bool tf32_truncated = false;
  bool ftz = false;

  bool any() const { return tf32 || tf32_truncated || ftz; }
};

// "tf32,ftz"; empty: none. Throws std::invalid_argument that says what was expected; the text that
// it quotes comes from outside.
Allowance AllowanceFromText(const std::string& text);
std::string AllowanceText(const Allowance& allowance);

// While it lives, the bounds that this thread derives allow that, so that an assumption about the
// machine needs no parameter in each op's formula.
class Allowing {
 public:
  explicit Allowing(const Allowance& allowance);
  ~Allowing();
  Allowing(const Allowing&) = delete;
  Allowing& operator=(const Allowing&) = delete;

 private:
  Allowance before_;
};

// What this thread's bounds allow: nothing where no Allowing lives.
const Allowance& Allowed();

}  // namespace touchstone::exact
