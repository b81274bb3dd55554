// Numerics profiles: the named choices that a sound binary32 kernel may make differently from the
// contract. One table, used wherever a profile is named: the honest orders that try every bound,
// the lab's profile contract, and the comparison with other implementations.
//
// A choice is an order of sums, fused or not, the format of partial sums, the source of elementary
// functions, and the rounding places that are left out or added.
//
// Profile is for a kernel that is run again, bit for bit. OutsideProfile is for an implementation
// whose order of sums nobody knows: it names the choices that no order explains.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "reference/exact/enclosure.h"
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
  kExponentials,   // not in the contract: exp(s - m) for the sum over values, not for the sum l;
                   // m is the largest score up to the end of the key's block of 512 positions
};
inline constexpr int kRoundingPlaces = static_cast<int>(RoundingPlace::kExponentials) + 1;

constexpr bool OutsideContract(RoundingPlace place) { return place >= RoundingPlace::kScores; }

std::string Name(RoundingPlace place);

// A fast exponential for results that are stored in 16 bits: 2^f is the bit pattern of 1 + f -
// K(f), K a polynomial of degree 3 (Malossi, Ineichen, Bekas and Curioni, "Fast exponential
// computation on SIMD architectures", 2015). With torch's coefficients the largest relative error
// is 1.0704e-4, at f = 0; the pattern is computed in binary32 near 127 * 2^23, where the spacing is
// 64, half of which is 2^-18 of the result. The argument meets four roundings: the difference,
// log2(e), the product with it, and K. Where exp(x) is below 2^-126 the result is 0.
inline constexpr double kFastExpError = 1.0705e-4 + 0x1p-18;
inline constexpr double kFastExpArgumentError = 4.0 * kUnit;
inline constexpr double kFastExpFlush = 0x1p-126;

struct Profile {
  std::string name = {};
  Order order = Order::kContract;
  int64_t width = 0;            // of kLanes, kSplit and kBlocked
  bool fused = true;            // products join sums by fma
  Dtype partial = Dtype::kF32;  // sums are rounded to it after every addition
  Functions functions = Functions::kCorrectlyRounded;
  std::set<RoundingPlace> left_out = {};  // places of the contract that this kernel skips
  std::set<RoundingPlace> added = {};     // places outside the contract that it has
  bool fast_exponential = false;          // exp(s - m) of attention, where storage has 16 bits

  // sum over i of a(i) * b(i), and of x(i). `contract` is the order that kContract stands for.
  float Dot(int64_t n, const std::function<float(int64_t)>& a,
            const std::function<float(int64_t)>& b, Order contract = Order::kBlocked,
            int64_t contract_width = 512) const;
  float Sum(int64_t n, const std::function<float(int64_t)>& x, Order contract = Order::kAscending,
            int64_t contract_width = 0) const;

  float Exp(float x) const;
  // exp(s - m) in attention. A fast exponential's errors are as large as they may be: 1.07e-4
  // relative, up or down by the last bit of the right result.
  float ExpOfScore(float x, Dtype storage) const;
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

// What other implementations do differently from the contract, in any order of sums. In f32 no
// place rounds, and every choice is the contract's.
enum class OutsideChoice {
  kScores,
  kScaledScores,
  kProbabilities,
  kExponentials,
  kFastExponential,
  kPromotion,
};

struct OutsideChoiceRow {
  OutsideChoice choice;
  std::string name, meaning;
  std::map<std::string, std::string> sources;  // of each profile that makes it: file and lines
};
const std::vector<OutsideChoiceRow>& OutsideChoices();

struct OutsideProfile {
  std::string name, description;
  std::set<OutsideChoice> choices = {};

  // All below: of a layer whose query is multiplied by a temperature (heated), or of another one.

  // Every place of every op, kOn or kOff, for Operands::places.
  std::map<RoundingPlace, Place> Places(bool heated) const;
  // For Operands::fast_exponential.
  bool FastExponential(bool heated) const;
  // What the query is rounded to before attention, and attention's Operands::storage.
  Dtype AttentionStorage(Dtype recipe, bool heated) const;
  // That kernel with these choices.
  Profile Applied(Profile kernel, bool heated) const;

  OutsideProfile With(OutsideChoice choice) const;
  OutsideProfile Without(OutsideChoice choice) const;
};

// The contract first, which makes no choice.
const std::vector<OutsideProfile>& OutsideProfiles();
const OutsideProfile* FindOutsideProfile(const std::string& name);  // nullptr: none of that name

}  // namespace touchstone::exact
