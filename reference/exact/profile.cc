#include "reference/exact/profile.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "reference/formats/bf16.h"

namespace touchstone::exact {
namespace {

using Element = std::function<float(int64_t)>;

// To the nearest binary16, ties to even. Above its range: an infinity.
float RoundToF16(float x) {
  if (!std::isfinite(x) || x == 0.0f) return x;
  const double unit = std::ldexp(1.0, std::max(std::ilogb(x), -14) - 10);
  const double rounded = std::nearbyint(static_cast<double>(x) / unit) * unit;
  if (std::fabs(rounded) > 65504.0) return std::copysign(INFINITY, x);
  return std::copysign(static_cast<float>(rounded), x);
}

// The low `bits` of the significand cut off, after `added` units of the lowest. In integers alone:
// g++ 12 drops the mask where std::isfinite guards it and nothing is added.
float WithoutLowBits(float x, int bits, uint32_t added) {
  const uint32_t word = std::bit_cast<uint32_t>(x);
  const bool finite = (word & 0x7f800000) != 0x7f800000;
  const uint32_t mask = ~((uint32_t{1} << bits) - 1);
  return finite ? std::bit_cast<float>((word + added) & mask) : x;
}

float AsOperand(Operand operand, float x) {
  switch (operand) {
    case Operand::kTf32:
      return WithoutLowBits(x, 13, 0x1000);
    case Operand::kTf32Truncated:
      return WithoutLowBits(x, 13, 0);
    case Operand::kBf16:
      return RoundTo<Bf16>(x);
    case Operand::kStored:
      break;
  }
  return x;
}

float Narrowed(Narrowing narrowing, float x) {
  switch (narrowing) {
    case Narrowing::kTruncated:
      return WithoutLowBits(x, 16, 0);
    case Narrowing::kAway:
      return WithoutLowBits(x, 16, 0x8000);
    case Narrowing::kNearestEven:
      break;
  }
  return RoundTo<Bf16>(x);
}

float ToPartial(PartialFormat format, float x) {
  switch (format) {
    case PartialFormat::kBf16:
      return RoundTo<Bf16>(x);
    case PartialFormat::kF16:
      return RoundToF16(x);
    case PartialFormat::kF32:
      break;
  }
  return x;
}

// The moved result of kTwoUlp: one ulp away from the correctly rounded one, so within 2 ulp of the
// real value. Its own last bit decides the direction, so that errors do not all point one way.
float Moved(float x) {
  if (!std::isfinite(x) || x == 0.0f) return x;
  const bool up = (std::bit_cast<uint32_t>(x) & 1) != 0;
  return std::nextafter(x, up ? INFINITY : -INFINITY);
}

float Evaluated(Functions functions, float x, double (*wide)(double), float (*single)(float)) {
  if (functions == Functions::kBinary32Library) return single(x);
  const float rounded = static_cast<float>(wide(static_cast<double>(x)));
  return functions == Functions::kTwoUlp ? Moved(rounded) : rounded;
}

// What is summed, and how one element joins a sum.
class Summands {
 public:
  // b empty: a plain sum. `operand`: what factors are read as.
  Summands(const Profile& profile, const Element& a, const Element& b, Operand operand)
      : p_(profile), a_(a), b_(b), operand_(operand) {}

  float Joined(float sum, int64_t i) const {
    if (!b_) return AtSum(p_.Result(sum + a_(i)));
    const float a = AsOperand(operand_, a_(i)), b = AsOperand(operand_, b_(i));
    if (p_.fused) return AtSum(p_.Result(std::fma(a, b, sum)));
    const float product = p_.Result(a * b);
    return AtSum(p_.Result(sum + product));
  }

  // Two partial sums.
  float Added(float x, float y) const { return p_.PartialSum(p_.Result(x + y)); }

  float Chain(int64_t begin, int64_t end) const {
    float sum = 0.0f;
    for (int64_t i = begin; i < end; ++i) sum = Joined(sum, i);
    return sum;
  }

  float Descending(int64_t n) const {
    float sum = 0.0f;
    for (int64_t i = n; i-- > 0;) sum = Joined(sum, i);
    return sum;
  }

  float Pairwise(int64_t begin, int64_t end) const {
    if (end - begin <= 2) return p_.PartialSum(Chain(begin, end));
    const int64_t middle = begin + (end - begin) / 2;
    return Added(Pairwise(begin, middle), Pairwise(middle, end));
  }

  float InLanes(int64_t begin, int64_t end, int64_t lanes) const {
    if (lanes <= 1) return Chain(begin, end);
    const int64_t round = p_.round > 0 ? p_.round : lanes;
    const int64_t whole = p_.rest == Rest::kJoins ? end : begin + (end - begin) / round * round;
    std::vector<float> lane(static_cast<size_t>(lanes), 0.0f);
    for (int64_t i = begin; i < whole; ++i) {
      float& sum = lane[static_cast<size_t>((i - begin) % lanes)];
      sum = Joined(sum, i);
    }
    if (p_.rest == Rest::kFirstLane) {
      for (int64_t i = whole; i < end; ++i) lane[0] = Joined(lane[0], i);
    }
    float sum = Folded(&lane);
    if (p_.rest == Rest::kAfterFold) {
      for (int64_t i = whole; i < end; ++i) sum = Joined(sum, i);
    }
    return sum;
  }

  float InBlocks(int64_t n, int64_t lanes, const std::function<int64_t(int64_t)>& size) const {
    float total = 0.0f;
    for (int64_t begin = 0, end = 0; begin < n; begin = end) {
      end = std::min(n, begin + size(n - begin));
      const float sum = p_.PartialSum(InLanes(begin, end, lanes));
      total = begin == 0 ? sum : Added(total, sum);
    }
    return total;
  }

 private:
  float AtSum(float x) const {
    return p_.partial_at == PartialAt::kEverySum ? ToPartial(p_.partial, x) : x;
  }

  float Folded(std::vector<float>* lanes) const {
    std::vector<float>& lane = *lanes;
    for (float& sum : lane) sum = p_.PartialSum(sum);
    if (p_.fold == Fold::kAscending) {
      for (size_t j = 1; j < lane.size(); ++j) lane[0] = Added(lane[0], lane[j]);
      return lane[0];
    }
    for (size_t half = lane.size() / 2; half >= 1; half /= 2) {
      for (size_t j = 0; j < half; ++j) {
        lane[j] = p_.fold == Fold::kPairs ? Added(lane[2 * j], lane[2 * j + 1])
                                          : Added(lane[j], lane[j + half]);
      }
    }
    return lane[0];
  }

  const Profile& p_;
  const Element& a_;
  const Element& b_;
  const Operand operand_;
};

// The size of the next of kBlocked's blocks, `left` of n elements being left.
int64_t BlockSize(const Profile& p, int64_t n, int64_t left) {
  const int64_t width = p.width;
  switch (p.last) {
    case Last::kHalf:
      return width < left && left < 2 * width ? (left / 2 + 7) / 8 * 8 : width;
    case Last::kLargerHalf:
      return width < left && left < 2 * width ? (left + 1) / 2 : width;
    case Last::kEven:
      return n % width == 0 ? width : (n / (8 * (n / width + 1)) + 1) * 8;
    case Last::kShort:
      break;
  }
  return width;
}

float Reduce(const Profile& p, int64_t n, const Summands& x, Order contract,
             int64_t contract_width) {
  const auto blocks_of = [](int64_t width) { return [width](int64_t) { return width; }; };
  switch (p.order) {
    case Order::kContract:
      if (contract == Order::kBlocked) return x.InBlocks(n, 1, blocks_of(contract_width));
      if (contract == Order::kLanes) return x.InLanes(0, n, contract_width);
      return x.Chain(0, n);
    case Order::kAscending:
      return x.Chain(0, n);
    case Order::kDescending:
      return x.Descending(n);
    case Order::kPairwise:
      return x.Pairwise(0, n);
    case Order::kLanes:
      return x.InLanes(0, n, p.width);
    case Order::kSplit:
      return x.InBlocks(n, p.lanes, blocks_of(std::max<int64_t>(1, (n + p.width - 1) / p.width)));
    case Order::kBlocked:
      return x.InBlocks(n, p.lanes, [&](int64_t left) { return BlockSize(p, n, left); });
  }
  return NAN;
}

}  // namespace

std::string Name(RoundingPlace place) {
  static const std::vector<std::string> names = {
      "norm_unit", "silu",       "residual",      "rope_output",   "gate",
      "up",        "activation", "down",          "expert_input",  "score",
      "routed",    "shared",     "query",         "key",           "value",
      "attention", "scores",     "scaled_scores", "probabilities", "exponentials"};
  return names.at(static_cast<size_t>(place));
}

float Profile::Dot(int64_t n, const Element& a, const Element& b, Order contract,
                   int64_t contract_width) const {
  return PartialSum(Reduce(*this, n, Summands(*this, a, b, operand), contract, contract_width));
}

float Profile::Sum(int64_t n, const Element& x, Order contract, int64_t contract_width) const {
  static const Element none;
  return PartialSum(
      Reduce(*this, n, Summands(*this, x, none, Operand::kStored), contract, contract_width));
}

float Profile::SumOfSquares(int64_t n, const Element& x) const {
  return PartialSum(Reduce(*this, n, Summands(*this, x, x, Operand::kStored), Order::kLanes, 256));
}

float Profile::Result(float x) const {
  return flush_results && std::fabs(x) < 0x1p-126f ? std::copysign(0.0f, x) : x;
}

float Profile::PartialSum(float x) const { return ToPartial(partial, x); }

float Profile::Exp(float x) const {
  if (x == 0.0f) return 1.0f;  // exp(0) is 1 everywhere
  return Result(Evaluated(functions, x, std::exp, std::exp));
}

float Profile::ExpOfScore(float x, Dtype storage) const {
  if (!fast_exponential || storage == Dtype::kF32) return Exp(x);
  const double right = std::exp(static_cast<double>(x));
  if (right < kFastExpFlush) return 0.0f;
  const bool up = (std::bit_cast<uint32_t>(static_cast<float>(right)) & 1) != 0;
  return static_cast<float>(right * (up ? 1.0 + 1.07e-4 : 1.0 - 1.07e-4));
}

float Profile::Log(float x) const { return Result(Evaluated(functions, x, std::log, std::log)); }
float Profile::Sin(float x) const { return Result(Evaluated(functions, x, std::sin, std::sin)); }
float Profile::Cos(float x) const { return Result(Evaluated(functions, x, std::cos, std::cos)); }

float Profile::Power(float x, float y) const {
  if (functions == Functions::kBinary32Library) return Result(std::pow(x, y));
  const float rounded =
      static_cast<float>(std::pow(static_cast<double>(x), static_cast<double>(y)));
  return Result(functions == Functions::kTwoUlp ? Moved(rounded) : rounded);
}

float Profile::ReciprocalRoot(float x) const {
  const bool moved = functions == Functions::kTwoUlp;
  if (!moved && !root_rounded_once) return Result(1.0f / std::sqrt(x));
  const float once = static_cast<float>(1.0 / std::sqrt(static_cast<double>(x)));
  return Result(moved ? Moved(once) : once);
}

float Profile::Divide(float a, float b) const {
  const float reciprocal = reciprocal_division ? 1.0f / b : 0.0f;
  const float quotient = Result(std::isnormal(reciprocal) ? a * reciprocal : a / b);
  int exponent = 0;
  if (std::fabs(std::frexp(b, &exponent)) == 0.5f) return quotient;  // by a power of two: exact
  return functions == Functions::kTwoUlp ? Result(Moved(quotient)) : quotient;
}

float Profile::At(RoundingPlace place, float x, Dtype storage) const {
  const bool taken = OutsideContract(place) ? added.contains(place) : !left_out.contains(place);
  return taken ? Output(x, storage) : x;
}

float Profile::Output(float x, Dtype storage) const {
  return Result(storage == Dtype::kBf16 ? Narrowed(narrowing, x) : x);
}

}  // namespace touchstone::exact
