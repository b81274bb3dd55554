// Sampling (rule N11): the next token of every sequence of a batch, greedy or by temperature and
// nucleus, from exact integer sums, so that no order of summation reaches the choice.
//
//   logits     (B, V)  f32  in (op logits)
//   positions  (B)     i64  in: the position of the new token in its own sequence
//   temperature        f64  rounded once to binary32; 0: greedy
//   top_p              f64  stays binary64
//   seed               u64  sequence b draws with key seed + b, mod 2^64
//   taken      (B)     i64  out
//
//   greedy:  the largest logit, lowest id among equals (N6)
//   else     z = RN32(logit / T)   e = exp(z - max z)   n = floor(e * 2^40)        u64
//            rank by logit descending, lowest id first; a token is kept if
//            double(sum of n ranked before it) <= top_p * double(sum of all n); the first always is
//            r = high 64 bits of u * K, K = sum of kept n, u = w1 * 2^32 + w0 of
//            Philox(counter = (position, 0, 0, 1), key = the sequence's seed)
//            taken: the kept token, in ascending id, whose inclusive prefix sum first exceeds r
//
// exp is correctly rounded (N5). A NaN logit, a temperature below 0 or not finite, one that rounds
// to 0 without being 0, a NaN top_p, V = 0, V >= 2^23, or a position outside [0, 2^32) is a
// contract violation, and so, unless greedy, is a maximum z that is not finite; sequences before
// that one may be written then. Greedy takes infinite logits as they are: +inf wins, all -inf gives
// token 0. Checked against: the formula above redone in Python integers (tests/ops); the nucleus
// keeps the token that crosses top_p, as llama-models 0.3.0, models/llama4/generation.py,
// sample_top_p does.
#pragma once

#include "reference/formats/view.h"

namespace touchstone {

struct SamplingChoice {
  double temperature = 0.0;
  double top_p = 1.0;
  uint64_t seed = 0;
};

void Sampling(View<const float, 'B', 'V'> logits, View<const int64_t, 'B'> positions,
              const SamplingChoice& choice, View<int64_t, 'B'> taken);

}  // namespace touchstone
