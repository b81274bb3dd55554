// Numerics profiles: the named choices that a sound binary32 kernel may make differently from the
// contract. One table, used wherever a profile is named: the honest orders that try every bound,
// the lab's profile contract, and the comparison with other implementations.
//
// A choice is an order of sums, fused or not, the format of partial sums, the source of elementary
// functions, and the rounding places that are left out or added.
#pragma once

#include <cstdint>
#include <functional>
#include <set>
#include <string>
#include <vector>

#include "reference/formats/dtype.h"

namespace touchstone::exact {

enum class Order {
  kContract,    // what the op's contract writes: slices of 512 (N3), 256 lanes (N4), blocks (N7)
  kAscending,   // one chain
  kDescending,  // one chain, last element first
  kPairwise,    // halves, recursively
  kLanes,       // `width` lanes, element i in lane i mod width, folded in halves
  kSplit,       // `width` contiguous parts, each a chain, parts added ascending
  kBlocked,     // contiguous blocks of `width` elements, each a chain, added ascending
};

enum class Functions {
  kCorrectlyRounded,  // binary64, rounded once (wrong for fewer than one input in 2^28)
  kBinary32Library,   // the C library's binary32 functions
  kTwoUlp,            // the correctly rounded result moved by one ulp, up or down by its last bit
};

// Places where an op of the contract rounds a value inside, or where a known implementation does.
enum class RoundingPlace {
  kNormUnit,       // rmsnorm: x * r before the weight
  kSilu,           // swiglu: silu(gate) before up
  kResidual,       // chains: the sum before the norm
  kRopeOutput,     // chains: after the rotation, before the norm of the head
  kGate,           // chains: the gate projection
  kUp,             // chains: the up projection
  kActivation,     // chains: swiglu's output before down
  kDown,           // chains: down's output before the sum over experts
  kExpertInput,    // chains: x * score
  kScore,          // chains: the router's score
  kRouted,         // chains: the routed sum before the shared expert is added
  kShared,         // chains: the shared expert's output
  kQuery,          // chains: the query before its scores
  kKey,            // chains: the key before the cache
  kValue,          // chains: the value before the cache
  kAttention,      // chains: attention's output before the output projection
  kScores,         // not in the contract: q.k
  kScaledScores,   // not in the contract: q.k times 1/sqrt(D)
  kProbabilities,  // not in the contract: softmax weights, divided before the sum over values
};

std::string Name(RoundingPlace place);

struct Profile {
  std::string name = {};
  Order order = Order::kContract;
  int64_t width = 0;            // of kLanes, kSplit and kBlocked
  bool fused = true;            // products join sums by fma
  Dtype partial = Dtype::kF32;  // sums are rounded to it after every addition
  Functions functions = Functions::kCorrectlyRounded;
  std::set<RoundingPlace> left_out = {};  // places of the contract that this kernel skips
  std::set<RoundingPlace> added = {};     // places outside the contract that it has

  // sum over i of a(i) * b(i), and of x(i). `contract` is the order that kContract stands for.
  float Dot(int64_t n, const std::function<float(int64_t)>& a,
            const std::function<float(int64_t)>& b, Order contract = Order::kBlocked,
            int64_t contract_width = 512) const;
  float Sum(int64_t n, const std::function<float(int64_t)>& x, Order contract = Order::kAscending,
            int64_t contract_width = 0) const;

  float Exp(float x) const;
  float Log(float x) const;
  float Sin(float x) const;
  float Cos(float x) const;
  float Power(float x, float y) const;
  float ReciprocalRoot(float x) const;  // 1 / sqrt(x)
  float Divide(float a, float b) const;

  // A rounding place to the recipe's storage: skipped where left out; a place outside the contract
  // is taken only where it is added.
  float At(RoundingPlace place, float x, Dtype storage) const;
  // A place that every kernel has: the op's output.
  static float Output(float x, Dtype storage);
};

// Ten sound binary32 kernels; none may leave any op's bound. The first is the contract itself.
const std::vector<Profile>& HonestProfiles();

}  // namespace touchstone::exact
