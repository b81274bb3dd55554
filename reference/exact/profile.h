// Numerics profiles: the named choices that a sound binary32 kernel may make differently from the
// contract. One table, used wherever a profile is named: the honest orders that try every bound,
// the lab's profile contract, and the comparison with other implementations.
//
// A choice is an order of sums, fused or not, the format of partial sums, how inputs are read and
// outputs rounded, what happens to subnormals, the source of elementary functions, and the rounding
// places that are left out or added.
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
  kLanes,       // `width` lanes, element i in lane i mod width
  kSplit,       // `width` contiguous parts, parts added ascending
  kBlocked,     // contiguous blocks of `width` elements, added ascending
};

// How lanes become one sum.
enum class Fold {
  kHalves,     // lane j += lane j + n/2, then n/4, ... 1; a power of two lanes
  kAscending,  // added to lane 0 one after the other
  kPairs,      // neighbours: lanes 2j and 2j + 1 become lane j, again and again; a power of two
};

// What the elements do that are left when fewer than a round of them remain.
enum class Rest {
  kJoins,      // each joins the lane that it would have in a whole round
  kFirstLane,  // all join lane 0
  kAfterFold,  // they are added to the folded sum
};

// The last blocks of kBlocked.
enum class Last {
  kShort,  // what is left is the last block
  kHalf,   // more than one and less than two widths are halved: half, down to an integer, up to
           // a multiple of 8, and the rest
  kLargerHalf,  // the same, but the first is half up to an integer
  kEven,        // all are of one size, the smallest multiple of 8 that leaves the last one shorter;
                // widths where they fit
};

// The format of partial sums, and when they are rounded to it.
enum class PartialFormat { kF32, kBf16, kF16 };
enum class PartialAt {
  kEverySum,  // after every addition
  kBlock,     // each block, part or lane is summed in binary32; what is made of them is rounded
};

// What an operand of a contraction is read as. Sums of squares are none.
enum class Operand {
  kStored,
  kTf32,           // 10 stored bits of the significand, to nearest, ties away from zero
  kTf32Truncated,  // the other bits cut off
  kBf16,           // to nearest even
};

// How a result becomes 16 bits.
enum class Narrowing {
  kNearestEven,
  kTruncated,  // towards zero
  kAway,       // to nearest, ties away from zero
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
  int64_t width = 0;          // of kLanes, kSplit and kBlocked
  int64_t lanes = 1;          // of each block or part; 1: it is a chain
  Fold fold = Fold::kHalves;  // of lanes, wherever they are
  Rest rest = Rest::kJoins;   // of lanes
  int64_t round = 0;          // elements in a round of lanes, a multiple of them; 0: one each
  Last last = Last::kShort;   // of kBlocked
  bool fused = true;          // products join sums by fma
  PartialFormat partial = PartialFormat::kF32;
  PartialAt partial_at = PartialAt::kEverySum;
  Operand operand = Operand::kStored;
  bool flush_inputs = false;   // subnormal inputs are read as zeros
  bool flush_results = false;  // subnormal results, of any operation, are zeros
  Narrowing narrowing = Narrowing::kNearestEven;
  Functions functions = Functions::kCorrectlyRounded;
  bool reciprocal_division = false;  // a / b is a * (1 / b), each rounded, where 1 / b is normal
  bool root_rounded_once = false;    // 1 / sqrt(x) has one rounding
  std::set<RoundingPlace> left_out = {};  // places of the contract that this kernel skips
  std::set<RoundingPlace> added = {};     // places outside the contract that it has
  bool fast_exponential = false;          // exp(s - m) of attention, where storage has 16 bits

  // sum over i of a(i) * b(i), and of x(i). `contract` is the order that kContract stands for.
  float Dot(int64_t n, const std::function<float(int64_t)>& a,
            const std::function<float(int64_t)>& b, Order contract = Order::kBlocked,
            int64_t contract_width = 512) const;
  float Sum(int64_t n, const std::function<float(int64_t)>& x, Order contract = Order::kAscending,
            int64_t contract_width = 0) const;
  // sum over i of x(i)^2, in the 256 lanes of rule N4 where the order is the contract's.
  float SumOfSquares(int64_t n, const std::function<float(int64_t)>& x) const;

  // The result of one operation in binary32: 0 where it is subnormal and results are flushed.
  float Result(float x) const;
  // What a partial sum of blocks becomes when it is stored.
  float PartialSum(float x) const;

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
  float Output(float x, Dtype storage) const;
};

// Ten sound binary32 kernels; none may leave any op's bound. The first is the contract itself.
const std::vector<Profile>& HonestProfiles();

// What is tried against a kernel of unknown order, from plain to exotic; the contract first. Each
// is named by its text.
const std::vector<Profile>& ProfilePanel();

// Whether the bound's assumptions (enclosure.h) hold of the profile, so that it never leaves it.
bool Sound(const Profile& profile);

// The choices that are not the contract's, as words: "order=lanes:8 fused=no without=norm_unit";
// "contract" where there are none. ProfileFromText reads it again, in any order of words, or takes
// the name of an honest profile. Throws std::invalid_argument that says what was expected; the text
// that it quotes comes from outside.
std::string ProfileText(const Profile& profile);
Profile ProfileFromText(const std::string& text);
// Those words alone.
std::vector<std::string> ProfileWords(const Profile& profile);

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
