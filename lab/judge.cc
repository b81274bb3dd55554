#include "lab/judge.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cctype>
#include <cmath>
#include <stdexcept>

namespace touchstone::lab {
namespace {

using exact::Enclosure;
using exact::RoundReal;

// The next value of the format above (up) or below x.
double Neighbour(double x, Dtype dtype, bool up) {
  if (std::isinf(x) && (x > 0) == up) return x;
  const float end = up ? INFINITY : -INFINITY;
  const float single = static_cast<float>(x);
  if (dtype == Dtype::kF32) return static_cast<double>(std::nextafter(single, end));
  const uint16_t bits = NarrowToBf16(single).bits;
  if ((bits & 0x7fff) == 0) return up ? 0x1p-133 : -0x1p-133;
  const bool away = up == ((bits & 0x8000) == 0);
  const uint16_t next = static_cast<uint16_t>(away ? bits + 1 : bits - 1);
  return static_cast<double>(Widen(Bf16{next}));
}

// Half the distance from |x| to the next larger value of the format.
double HalfSpacing(double x, Dtype dtype) {
  if (!std::isfinite(x)) return 0.0;
  const int exponent = x == 0.0 ? -126 : std::max(std::ilogb(x), -126);
  return std::ldexp(1.0, exponent - (dtype == Dtype::kF32 ? 24 : 8));
}

struct Element {
  double got, value, lower, upper;  // lower and upper after the rounding to the output's format
  double bound_below, bound_above;  // before it
};

bool Accepted(const Element& e) {
  if (std::isnan(e.value)) return std::isnan(e.got);
  return e.lower <= e.got && e.got <= e.upper;
}

// A NaN is one value here: its sign, which comes of no rule, is not shown.
std::string ShowBound(const Element& e) {
  if (std::isnan(e.value)) return "NaN";
  return fmt::format("[{:a}, {:a}], that is {:.9g} to {:.9g}", e.lower, e.upper, e.lower, e.upper);
}

double Ratio(const Element& e, Dtype dtype) {
  if (!std::isfinite(e.value) || !std::isfinite(e.got)) return Accepted(e) ? 0.0 : INFINITY;
  const double error = std::fabs(e.got - e.value);
  const double bound = e.got > e.value ? e.bound_above : e.bound_below;
  return error == 0.0 ? 0.0 : error / (bound + HalfSpacing(e.got, dtype));
}

void CompareReals(const Case& c, const Argument& argument, const Tensor& got,
                  const Enclosure& expected, const std::set<int64_t>& open_tokens,
                  Comparison* result) {
  const Dtype dtype = got.dtype;
  TOUCHSTONE_REQUIRE(expected.value.size() == got.count());
  const bool by_token = argument.dims.starts_with('T');
  const int64_t token = by_token && c.size('T') > 0 ? got.count() / c.size('T') : 1;
  for (int64_t i = 0; i < got.count(); ++i) {
    const double lower = expected.lower.data()[i], upper = expected.upper.data()[i];
    const double value = expected.value.data()[i];
    const bool open = by_token && !open_tokens.empty() && open_tokens.contains(i / token);
    if (expected.undecidable.data()[i] || open) {
      ++result->undecidable;
      continue;
    }
    if (std::isnan(lower) != std::isnan(value) || std::isnan(upper) != std::isnan(value)) {
      throw std::logic_error(fmt::format("{} {}: the second reference gives [{}, {}] for {} of {}",
                                         c.op->name, c.Name(), lower, upper, value, argument.name));
    }
    const Element e{got.Real(i),   value,        RoundReal(lower, dtype), RoundReal(upper, dtype),
                    value - lower, upper - value};
    const bool accepted = Accepted(e);
    ++result->compared;
    result->outside += accepted ? 0 : 1;
    result->decided += std::isnan(value) || e.lower == e.upper ? 1 : 0;
    result->largest_ratio = std::max(result->largest_ratio, Ratio(e, dtype));
    if (accepted && std::isfinite(e.got) && e.got != 0.0) {
      const double above = Neighbour(e.upper, dtype, true) - e.got;
      const double below = e.got - Neighbour(e.lower, dtype, false);
      result->smallest_rejected =
          std::min(result->smallest_rejected, std::min(above, below) / std::fabs(e.got));
    }
    if (!accepted && !result->first) {
      result->first = Difference{argument.name, Coordinates(argument.dims, got.shape, i),
                                 ShowElement(got, i), ShowBound(e)};
    }
  }
}

void CompareChoices(const Argument& argument, const Tensor& got, const exact::Choices& expected,
                    Comparison* result) {
  TOUCHSTONE_REQUIRE(static_cast<int64_t>(expected.size()) == got.count());
  // Of the A experts of a token none may come twice.
  const int64_t of_one_token = argument.dims.ends_with('A') ? got.shape.back() : 1;
  const int64_t* values = got.values<int64_t>();
  for (int64_t i = 0; i < got.count(); ++i) {
    const auto& accepted = expected[static_cast<size_t>(i)];
    const int64_t taken = values[i];
    const bool again = std::count(values + i - i % of_one_token, values + i, taken) > 0;
    const bool right =
        !again && std::find(accepted.begin(), accepted.end(), taken) != accepted.end();
    ++result->compared;
    result->outside += right ? 0 : 1;
    result->decided += accepted.size() == 1 ? 1 : 0;
    if (!right) result->largest_ratio = INFINITY;
    if (!right && !result->first) {
      result->first =
          Difference{argument.name, Coordinates(argument.dims, got.shape, i),
                     fmt::format("{}", taken), fmt::format("{}", fmt::join(accepted, " or "))};
    }
  }
}

uint64_t CanonicalBits(const Tensor& tensor, int64_t i) {
  switch (tensor.dtype) {
    case Dtype::kF32:
      return std::bit_cast<uint32_t>(CanonicalNan(tensor.values<float>()[i]));
    case Dtype::kBf16:
      return CanonicalNan(tensor.values<Bf16>()[i]).bits;
    case Dtype::kI64:
      return static_cast<uint64_t>(tensor.values<int64_t>()[i]);
    default:
      return static_cast<uint64_t>(tensor.data[static_cast<size_t>(i)]);
  }
}

}  // namespace

void Comparison::Join(const Comparison& other) {
  compared += other.compared;
  outside += other.outside;
  undecidable += other.undecidable;
  decided += other.decided;
  largest_ratio = std::max(largest_ratio, other.largest_ratio);
  smallest_rejected = std::min(smallest_rejected, other.smallest_rejected);
  if (!first) first = other.first;
}

std::string Coordinates(const std::string& dims, const std::vector<int64_t>& shape, int64_t i) {
  std::string text;
  for (size_t d = shape.size(); d-- > 0;) {
    const char letter = static_cast<char>(std::tolower(static_cast<unsigned char>(dims.at(d))));
    text = fmt::format("{}={}{}{}", letter, i % shape[d], text.empty() ? "" : " ", text);
    i /= shape[d];
  }
  return text;
}

std::string ShowElement(const Tensor& tensor, int64_t i) {
  if (tensor.dtype == Dtype::kI64) return fmt::format("{}", tensor.values<int64_t>()[i]);
  const double x = tensor.Real(i);
  const int digits = tensor.dtype == Dtype::kF32 ? 8 : 4;
  if (std::isnan(x)) return fmt::format("NaN (0x{:0{}x})", CanonicalBits(tensor, i), digits);
  return fmt::format("{:a} = {:.9g} (0x{:0{}x})", x, x, CanonicalBits(tensor, i), digits);
}

std::map<std::string, Comparison> CompareOutputs(const Case& c, const Tensors& tensors,
                                                 const Expected& expected) {
  std::map<std::string, Comparison> results;
  for (const Argument& argument : c.op->arguments) {
    if (argument.role == Role::kIn) continue;
    const Tensor& got = tensors.at(argument.name);
    Comparison& result = results[argument.name];
    if (got.dtype == Dtype::kI64) {
      CompareChoices(argument, got, expected.results.choices.at(argument.name), &result);
    } else {
      CompareReals(c, argument, got, expected.results.reals.at(argument.name), expected.open_tokens,
                   &result);
    }
  }
  return results;
}

Comparison CompareWithExpected(const Case& c, const Tensors& tensors, const Expected& expected) {
  Comparison all;
  for (const auto& [name, result] : CompareOutputs(c, tensors, expected)) all.Join(result);
  return all;
}

Comparison CompareBits(const std::string& name, const std::string& dims, const Tensor& got,
                       const Tensor& wanted) {
  Comparison result;
  if (got.dtype != wanted.dtype || got.shape != wanted.shape) {
    result.outside = 1;
    result.first =
        Difference{name, "", fmt::format("{} ({})", Name(got.dtype), fmt::join(got.shape, ", ")),
                   fmt::format("{} ({})", Name(wanted.dtype), fmt::join(wanted.shape, ", "))};
    return result;
  }
  result.compared = result.decided = got.count();
  for (int64_t i = 0; i < got.count(); ++i) {
    if (CanonicalBits(got, i) == CanonicalBits(wanted, i)) continue;
    ++result.outside;
    if (!result.first) {
      result.first = Difference{name, Coordinates(dims, got.shape, i), ShowElement(got, i),
                                ShowElement(wanted, i)};
    }
  }
  return result;
}

}  // namespace touchstone::lab
