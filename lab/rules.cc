#include "lab/rules.h"

namespace touchstone::lab {

const std::vector<Rule>& AllRules() {
  static const std::vector<Rule> rules = {
      {"N1",
       "arithmetic",
       "IEEE-754 binary32, round to nearest even, subnormals kept. One rounding for each written "
       "operation, in the written order; fma only where a rule says fma.",
       "every + - * / sqrt is RN32 of its exact result",
       {"CMakeLists.txt", "reference/formats/host_device.h"},
       {"tests/house/fast_math_test.sh", "tests/all/bits"}},
      {"N2",
       "storage",
       "Tensors are stored in f32 or bf16, indices in i64; e4m3, e5m2, e8m0 and int4 have their "
       "names reserved. Widening is exact; narrowing is one named rounding, done with integer "
       "operations.",
       "bf16(x) = nearest 16-bit pattern to x, ties to even",
       {"reference/formats/bf16.h", "reference/formats/dtype.h"},
       {"tests/formats/bf16_test.cc"}},
      {"N3",
       "chain",
       "Every contraction over k cuts k into slices of 512 by absolute k. In a slice a chain of "
       "fma from +0, k ascending; the first slice's sum is the total, later ones are added to it "
       "in ascending order. K = 0 gives +0.",
       "acc = fma(a[k], b[k], acc);  total = total + acc",
       {"reference/arithmetic/chain.h", "reference/ops/linear/linear.cc"},
       {"tests/arithmetic/chain_test.cc", "lab/ops/linear.cc"}},
      {"N4",
       "lanes",
       "A reduction of a row for which no other rule writes an order uses 256 lanes from +0: "
       "element i joins lane i mod 256, ascending; then lane j += lane j+128, 64, 32, ... 1. A "
       "mean is sum / float(n).",
       "lane[i mod 256] = fma(x[i], x[i], lane[i mod 256]);  lane[j] += lane[j + half]",
       {"reference/arithmetic/lanes.h"},
       {"tests/arithmetic/lanes_test.cc", "lab/ops/rmsnorm.cc"}},
      {"N5",
       "functions",
       "exp, log, log1p, sin, cos and erf are correctly rounded binary32 (sin and cos for |x| < "
       "2^24). 1/sqrt(x) of data is the two IEEE operations 1.0f / sqrt(x). pow only where the "
       "RoPE table needs it.",
       "y = RN32(f(x)) for every one of 2^32 inputs",
       {"reference/arithmetic/functions.h", "reference/arithmetic/rope_power.h"},
       {"tests/proofs/prove_functions.cc", "tests/arithmetic/functions_test.cc"}},
      {"N6",
       "choice",
       "max propagates NaN; in arg-max and top-k a NaN beats all, then the lowest index among "
       "equals; -0 equals +0.",
       "best = lowest index of the largest value",
       {"reference/arithmetic/lanes.h", "reference/ops/router/router.cc"},
       {"tests/arithmetic/lanes_test.cc", "lab/ops/router.cc"}},
      {"N7",
       "softmax in attention",
       "A position is the index in the token's own sequence. Keys are cut into blocks of 512 by "
       "absolute position; each block gives (m, l, o) by chains over its visible keys, ascending; "
       "blocks are merged in order, each product and sum rounded. A masked key is skipped; without "
       "a visible key the output is +0.",
       "p = exp(s - m);  n = max(m, m_b);  l = l exp(m - n) + l_b exp(m_b - n);  y = o / l",
       {"reference/ops/attention/attention.cc"},
       {"lab/ops/attention.cc"}},
      {"N8",
       "NaN",
       "A NaN is one value in files and hashes: 0x7fc00000 (0x7fc0 in bf16).",
       "NaN -> 0x7fc00000",
       {"reference/formats/bf16.h", "golden/canonical_bytes.cc"},
       {"tests/golden/hdf5_file_test.cc"}},
      {"N9",
       "rounding places",
       "Each op's header lists where its values are rounded to storage, for each recipe.",
       "RN = one rounding to the recipe's storage",
       {"reference/ops", "reference/exact/profile.h"},
       {"tests/faults/faults.tsv", "tests/whole_models/golden_models_test.cc"}},
      {"N10",
       "random",
       "Every generated tensor comes from Philox4x32-10: counter (block lo, block hi, tensor, 0), "
       "key (seed lo, "
       "seed hi), tensor = the first four bytes of the SHA-256 of its path.",
       "value = n * 2^-E, n an integer of word i",
       {"reference/formats/philox.h", "lab/input_class.cc"},
       {"tests/formats/philox_test.cc", "tests/formats/philox_numpy_test.py"}},
      {"N11",
       "sampling",
       "From exact integer weights n = floor(exp(z - max z) * 2^40): a token is kept while the sum "
       "ranked before it is at most top_p of all; the draw is the high half of a 64-bit Philox "
       "number times the kept sum. T = 0 is arg-max.",
       "r = high64(u * K);  taken = first kept token whose prefix sum exceeds r",
       {"reference/ops/sampling/sampling.cc"},
       {"lab/ops/sampling.cc", "tests/ops/sampling_numbers_test.py"}},
      {"N12",
       "constants",
       "eps, theta, floor_scale, attn_scale and the RoPE factors are read into binary64 from the "
       "decimal in the configuration and rounded to binary32 once; 1/sqrt(D) is RN32 of the real "
       "value.",
       "c = RN32(the decimal in binary64)",
       {"lab/spec.h", "reference/ops/attention/attention.cc"},
       {"tests/arithmetic/constants_test.cc"}},
  };
  return rules;
}

const Rule* FindRule(const std::string& id) {
  for (const Rule& rule : AllRules()) {
    if (rule.id == id) return &rule;
  }
  return nullptr;
}

}  // namespace touchstone::lab
