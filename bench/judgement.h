// Every output is judged before it is timed: what computes something else is not timed. Ours by the
// bits of all elements against the reference; the reference itself, and rivals, against the bound
// of each element, on rows and columns that are spread over the output (each element of these ops
// depends on one row of x and one of weight, so a part can be judged alone).
#pragma once

#include <string>

#include "bench/contender.h"
#include "lab/chain.h"
#include "lab/judge.h"
#include "lab/verify.h"

namespace touchstone::bench {

struct Judged {
  lab::Verdict verdict = lab::Verdict::kNotRun;
  std::string reason = {};  // of NOT RUN and FAILED
  int64_t compared = 0;
  double ratio = 0.0;  // the largest, of what was judged by the bound
};

// Judges one case's contenders. The first given must be the reference.
class Judge {
 public:
  explicit Judge(const Copies& copies);
  // Calls the contender on copy 0, its output poisoned before, and judges what it gave.
  Judged Of(const Contender& contender);

 private:
  lab::Case whole_, part_;
  lab::Tensors part_inputs_;
  lab::Expected expected_;
  Tensor reference_;  // what the reference gave
};

}  // namespace touchstone::bench
