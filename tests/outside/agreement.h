// What another implementation recorded, op by op, against the second reference: every op is fed the
// inputs that the implementation itself recorded, so that errors of different ops never mix, and
// its recorded output must lie in the accepted set of each element.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "tests/outside/text_config.h"

namespace touchstone::outside {

// All elements of one op that one implementation recorded in one recipe.
struct Finding {
  std::string
      op;  // a word of reference/ops.def, or words joined by '+' where only the end of a chain
           // was recorded
  std::string implementation, recipe;
  // "contract": values are rounded where the contract rounds, and nowhere else, which is less than
  // the bounded verdict allows (it takes the hull). Another name: a profile of rounding places or
  // functions, with its reason in rounded_attention.cc or agreement.cc.
  std::string profile;

  // Of which something can be said. The router has two a token: the expert, and its score.
  int64_t elements = 0;
  int64_t outside = 0;
  int64_t undecidable = 0;
  int64_t decided = 0;  // one accepted value
  int64_t ties = 0;     // choices among equal largest logits, where any index is agreement
  double largest_ratio = 0.0;
  std::string first_outside = {};
};

// The ops and chains that recordings exist of, in the order of a forward pass.
const std::vector<std::string>& JudgedOps();

// All models under a folder (golden/foreign/), in that order. `change` is applied to what their
// configuration says before anything is judged: a test of the judge.
using Change = std::function<void(TextConfig*)>;
std::vector<Finding> JudgeForeign(const std::string& folder, const Change& change = {});

}  // namespace touchstone::outside
