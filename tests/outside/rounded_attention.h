// Attention as two known implementations compute it in bf16: with roundings to bf16 inside, which
// the contract does not have. The op's own enclosure has no such places; this one has all of them,
// so that what those implementations recorded can be judged under a named profile.
#pragma once

#include <cstdint>
#include <string>

#include "reference/exact/enclosure.h"
#include "reference/exact/second_reference.h"

namespace touchstone::outside {

// Where probabilities are rounded to storage.
enum class Probabilities {
  kKept,          // nowhere
  kNormalised,    // the quotients exp(s - m) / l
  kUnnormalised,  // exp(s - m), for the sum over values alone; l is the sum of what was not rounded
};

struct AttentionProfile {
  std::string name;
  std::string reason;
  bool rounds_scores = false;         // kScores: q.k
  bool rounds_scaled_scores = false;  // kScaledScores: q.k times 1/sqrt(D)
  Probabilities probabilities = Probabilities::kKept;
  double exp_error = exact::kFunctionError;  // relative, of exp(x)
  double argument_error = exact::kUnit;      // and as much again, times |x|
};

// transformers' attention on bf16 tensors, and torch's fused one, which Meta's code calls.
const AttentionProfile& EagerAttention();
const AttentionProfile& FusedAttention();

// Operands of op attention; the result before its last rounding. Scores must be so near to each
// other that no exponential underflows, and a query must see at least one key: ContractViolation.
exact::Enclosure RoundedAttention(const AttentionProfile& profile,
                                  const exact::Operands<exact::Enclosure>& in);

}  // namespace touchstone::outside
