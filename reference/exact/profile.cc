#include "reference/exact/profile.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "reference/formats/bf16.h"

namespace touchstone::exact {
namespace {

using Element = std::function<float(int64_t)>;

float To(Dtype format, float x) { return format == Dtype::kBf16 ? RoundTo<Bf16>(x) : x; }

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

// One chain over [begin, end), by the profile's fusion and partial format. b empty: a plain sum.
float RunChain(const Profile& p, int64_t begin, int64_t end, const Element& a, const Element& b,
               bool descending) {
  float sum = 0.0f;
  for (int64_t i = begin; i < end; ++i) {
    const int64_t at = descending ? begin + end - 1 - i : i;
    if (!b) {
      sum = To(p.partial, sum + a(at));
    } else if (p.fused) {
      sum = To(p.partial, std::fma(a(at), b(at), sum));
    } else {
      const float product = a(at) * b(at);
      sum = To(p.partial, sum + product);
    }
  }
  return sum;
}

float Pairwise(const Profile& p, int64_t begin, int64_t end, const Element& a, const Element& b) {
  if (end - begin <= 2) return RunChain(p, begin, end, a, b, false);
  const int64_t middle = begin + (end - begin) / 2;
  return To(p.partial, Pairwise(p, begin, middle, a, b) + Pairwise(p, middle, end, a, b));
}

float InLanes(const Profile& p, int64_t n, int64_t width, const Element& a, const Element& b) {
  std::vector<float> lane(static_cast<size_t>(width), 0.0f);
  for (int64_t i = 0; i < n; ++i) {
    float& sum = lane[static_cast<size_t>(i % width)];
    if (!b) {
      sum = To(p.partial, sum + a(i));
    } else if (p.fused) {
      sum = To(p.partial, std::fma(a(i), b(i), sum));
    } else {
      const float product = a(i) * b(i);
      sum = To(p.partial, sum + product);
    }
  }
  for (size_t half = lane.size() / 2; half >= 1; half /= 2) {
    for (size_t j = 0; j < half; ++j) lane[j] = To(p.partial, lane[j] + lane[j + half]);
  }
  return lane[0];
}

float InParts(const Profile& p, int64_t n, int64_t part, const Element& a, const Element& b) {
  float total = 0.0f;
  for (int64_t begin = 0; begin < n; begin += part) {
    const float sum = RunChain(p, begin, std::min(n, begin + part), a, b, false);
    total = begin == 0 ? sum : To(p.partial, total + sum);
  }
  return total;
}

float Reduce(const Profile& p, int64_t n, const Element& a, const Element& b, Order contract,
             int64_t contract_width) {
  const Order order = p.order == Order::kContract ? contract : p.order;
  const int64_t width = p.order == Order::kContract ? contract_width : p.width;
  switch (order) {
    case Order::kDescending:
      return RunChain(p, 0, n, a, b, true);
    case Order::kPairwise:
      return Pairwise(p, 0, n, a, b);
    case Order::kLanes:
      return InLanes(p, n, width, a, b);
    case Order::kSplit:
      return InParts(p, n, std::max<int64_t>(1, (n + width - 1) / width), a, b);
    case Order::kBlocked:
      return InParts(p, n, width, a, b);
    case Order::kContract:
    case Order::kAscending:
      break;
  }
  return RunChain(p, 0, n, a, b, false);
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
  return Reduce(*this, n, a, b, contract, contract_width);
}
float Profile::Sum(int64_t n, const Element& x, Order contract, int64_t contract_width) const {
  return Reduce(*this, n, x, nullptr, contract, contract_width);
}

float Profile::Exp(float x) const {
  return x == 0.0f ? 1.0f : Evaluated(functions, x, std::exp, std::exp);  // exp(0) is 1 everywhere
}

float Profile::ExpOfScore(float x, Dtype storage) const {
  if (!fast_exponential || storage == Dtype::kF32) return Exp(x);
  const double right = std::exp(static_cast<double>(x));
  if (right < kFastExpFlush) return 0.0f;
  const bool up = (std::bit_cast<uint32_t>(static_cast<float>(right)) & 1) != 0;
  return static_cast<float>(right * (up ? 1.0 + 1.07e-4 : 1.0 - 1.07e-4));
}

float Profile::Log(float x) const { return Evaluated(functions, x, std::log, std::log); }
float Profile::Sin(float x) const { return Evaluated(functions, x, std::sin, std::sin); }
float Profile::Cos(float x) const { return Evaluated(functions, x, std::cos, std::cos); }

float Profile::Power(float x, float y) const {
  if (functions == Functions::kBinary32Library) return std::pow(x, y);
  const float rounded =
      static_cast<float>(std::pow(static_cast<double>(x), static_cast<double>(y)));
  return functions == Functions::kTwoUlp ? Moved(rounded) : rounded;
}

float Profile::ReciprocalRoot(float x) const {
  if (functions != Functions::kTwoUlp) return 1.0f / std::sqrt(x);
  return Moved(static_cast<float>(1.0 / std::sqrt(static_cast<double>(x))));
}

float Profile::Divide(float a, float b) const {
  const float quotient = a / b;
  int exponent = 0;
  if (std::fabs(std::frexp(b, &exponent)) == 0.5f) return quotient;  // by a power of two: exact
  return functions == Functions::kTwoUlp ? Moved(quotient) : quotient;
}

float Profile::At(RoundingPlace place, float x, Dtype storage) const {
  const bool taken = OutsideContract(place) ? added.contains(place) : !left_out.contains(place);
  return taken ? Output(x, storage) : x;
}

float Profile::Output(float x, Dtype storage) { return To(storage, x); }

const std::vector<Profile>& HonestProfiles() {
  static const std::vector<Profile> profiles = [] {
    const std::set<RoundingPlace> inner = {
        RoundingPlace::kNormUnit,   RoundingPlace::kSilu,   RoundingPlace::kResidual,
        RoundingPlace::kRopeOutput, RoundingPlace::kGate,   RoundingPlace::kUp,
        RoundingPlace::kActivation, RoundingPlace::kDown,   RoundingPlace::kExpertInput,
        RoundingPlace::kScore,      RoundingPlace::kRouted, RoundingPlace::kShared,
        RoundingPlace::kQuery,      RoundingPlace::kKey,    RoundingPlace::kValue,
        RoundingPlace::kAttention};
    std::vector<Profile> all(10);
    all[0] = {.name = "contract"};
    all[1] = {.name = "ascending", .order = Order::kAscending};
    all[2] = {.name = "ascending, unfused", .order = Order::kAscending, .fused = false};
    all[3] = {.name = "descending", .order = Order::kDescending};
    all[4] = {.name = "pairwise", .order = Order::kPairwise};
    all[5] = {.name = "pairwise, unfused, no inner rounding",
              .order = Order::kPairwise,
              .fused = false,
              .left_out = inner};
    all[6] = {.name = "16 lanes, library functions",
              .order = Order::kLanes,
              .width = 16,
              .functions = Functions::kBinary32Library};
    all[7] = {.name = "split in 8, functions off by an ulp",
              .order = Order::kSplit,
              .width = 8,
              .functions = Functions::kTwoUlp};
    all[8] = {.name = "blocks of 32, unfused, no inner rounding",
              .order = Order::kBlocked,
              .width = 32,
              .fused = false,
              .left_out = inner};
    all[9] = {.name = "descending, unfused, functions off by an ulp",
              .order = Order::kDescending,
              .fused = false,
              .functions = Functions::kTwoUlp,
              .left_out = inner};
    return all;
  }();
  return profiles;
}

}  // namespace touchstone::exact
