// The arithmetic that every op is made of.
#include <array>
#include <bit>

#include "reference/arithmetic/chain.h"
#include "reference/arithmetic/functions.h"
#include "reference/arithmetic/lanes.h"
#include "reference/arithmetic/rope_power.h"
#include "tests/bits/cases.h"

namespace touchstone::bits {
namespace {

// Every 80021st pattern of binary32; a prime, so that all exponents and low bits are met.
constexpr uint64_t kStride = 80021;
constexpr int64_t kPatterns = static_cast<int64_t>((uint64_t{1} << 32) / kStride);

template <typename Result, typename Function>
void OverPatterns(Output& out, const std::string& name, Function function) {
  out.Begin(name);
  Tensor results(kDtypeOf<Result>, {kPatterns});
  for (int64_t i = 0; i < kPatterns; ++i) {
    const uint32_t pattern = static_cast<uint32_t>(static_cast<uint64_t>(i) * kStride);
    results.values<Result>()[i] = function(std::bit_cast<float>(pattern));
  }
  out.Write(results);
}

void RunPower(Output& out) {
  out.Begin("rope power");
  constexpr int64_t kExponents = 256;
  const std::array<float, 4> bases = {10000.0f, 500000.0f, 1e6f, 0x1.000002p+0f};
  Tensor results(Dtype::kF32, {std::ssize(bases), kExponents});
  for (int64_t i = 0; i < results.count(); ++i) {
    const float exponent = static_cast<float>(i % kExponents) / static_cast<float>(kExponents);
    results.values<float>()[i] = RopePower(bases[static_cast<size_t>(i / kExponents)], exponent);
  }
  out.Write(results);
}

void RunReductions(Output& out) {
  out.Begin("chain and lanes");
  Source source(0x100);
  for (const Class inputs : kClasses) {
    const Tensor a = source.Make<float>(inputs, {64, 1300});
    const Tensor b = source.Make<float>(inputs, {64, 1300});
    const auto x = a.As<float, 'T', 'C'>(), y = b.As<float, 'T', 'C'>();
    const std::vector<int64_t> extents = {0, 1, 255, 256, 257, 511, 512, 513, 1024, 1025, 1300};
    Tensor results(Dtype::kF32, {64, std::ssize(extents), 4});
    const auto result = results.As<float, 'T', 'N', '4'>();
    for (int64_t t = 0; t < 64; ++t) {
      const auto left = [&](int64_t c) { return x(t, c); };
      const auto right = [&](int64_t c) { return y(t, c); };
      for (int64_t n = 0; n < std::ssize(extents); ++n) {
        const int64_t extent = extents[static_cast<size_t>(n)];
        result(t, n, 0) = Chain(extent, left, right);
        result(t, n, 1) = Sum(extent, left);
        result(t, n, 2) = SumOfSquares(extent, left);
        result(t, n, 3) = AbsMax(extent, left);
      }
    }
    out.Write(results);
  }
}

}  // namespace

void RunArithmetic(Output& out) {
  OverPatterns<float>(out, "exp", Exp);
  OverPatterns<float>(out, "log", Log);
  OverPatterns<float>(out, "log1p", Log1p);
  OverPatterns<float>(out, "sin", Sin);
  OverPatterns<float>(out, "cos", Cos);
  OverPatterns<float>(out, "erf", Erf);
  OverPatterns<Bf16>(out, "narrow bf16", NarrowToBf16);
  RunPower(out);
  RunReductions(out);
}

}  // namespace touchstone::bits
