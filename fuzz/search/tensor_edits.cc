#include "fuzz/search/tensor_edits.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>

#include "fuzz/search/generator.h"
#include "fuzz/search/shrink.h"
#include "lab/chain.h"

namespace touchstone::fuzz {
namespace {

using lab::Argument;

// Copies a corner of `from` into `to`, which has its rank and no larger extents; where an extent is
// larger, what `to` holds beyond stays.
void CopyCorner(const Tensor& from, Corner corner, Tensor* to) {
  const size_t rank = to->shape.size();
  const size_t bytes = ElementBytes(to->dtype);
  for (int64_t i = 0; i < to->count(); ++i) {
    int64_t rest = i, source = 0, step = 1;
    bool inside = true;
    for (size_t d = rank; d-- > 0;) {
      const int64_t gone = from.shape[d] - to->shape[d];
      const int64_t at = rest % to->shape[d] + (corner == Corner::kLast ? gone : 0);
      inside = inside && 0 <= at && at < from.shape[d];
      source += at * step;
      step *= from.shape[d];
      rest /= to->shape[d];
    }
    if (!inside) continue;
    std::memcpy(to->data.data() + static_cast<size_t>(i) * bytes,
                from.data.data() + static_cast<size_t>(source) * bytes, bytes);
  }
}

bool IsPowerOfTwo(double value) {
  int exponent;
  return std::fabs(std::frexp(value, &exponent)) == 0.5;
}

}  // namespace

int64_t NonZero(const Trial& trial) {
  int64_t count = 0;
  for (const Argument& argument : trial.c.op->arguments) {
    if (!IsInput(argument)) continue;
    count += static_cast<int64_t>(NonZeroElements(trial.tensors.at(argument.name)).size());
  }
  return count;
}

Trial Resized(const Trial& trial, const lab::Case& c, Corner corner, bool integers_of_class) {
  Trial resized = Generator::OfClass(c, trial.poison);
  resized.given = true;
  resized.patterns = trial.patterns;
  for (const Argument& argument : c.op->arguments) {
    if (!IsInput(argument)) continue;
    Tensor& to = resized.tensors.at(argument.name);
    if (to.dtype == Dtype::kI64 && integers_of_class) continue;
    CopyCorner(trial.tensors.at(argument.name), corner, &to);
  }
  return resized;
}

Trial WithRecipe(const Trial& trial, const lab::Case& c) {
  Trial converted = trial;
  converted.c = c;
  for (const Argument& argument : c.op->arguments) {
    const Tensor& from = trial.tensors.at(argument.name);
    Tensor to(lab::DtypeOf(c, argument), from.shape);
    if (from.dtype == to.dtype) continue;
    std::fill(to.data.begin(), to.data.end(), std::byte{0xff});
    for (int64_t i = 0; IsInput(argument) && i < to.count(); ++i) {
      SetElement(&to, i, from.Real(i));
    }
    converted.tensors.at(argument.name) = std::move(to);
  }
  return converted;
}

bool HasIntegers(const lab::Case& c) {
  return std::any_of(c.op->arguments.begin(), c.op->arguments.end(), [](const Argument& argument) {
    return IsInput(argument) && argument.stored == lab::Stored::kI64;
  });
}

std::vector<int64_t> NonZeroElements(const Tensor& tensor) {
  const size_t bytes = ElementBytes(tensor.dtype);
  std::vector<int64_t> found;
  for (int64_t i = 0; i < tensor.count(); ++i) {
    const auto first = tensor.data.begin() + i * static_cast<std::ptrdiff_t>(bytes);
    const bool zero = std::all_of(first, first + static_cast<std::ptrdiff_t>(bytes),
                                  [](std::byte b) { return b == std::byte{0}; });
    if (!zero) found.push_back(i);
  }
  return found;
}

void SetElement(Tensor* tensor, int64_t i, double value) {
  if (tensor->dtype == Dtype::kI64) {
    tensor->values<int64_t>()[i] = static_cast<int64_t>(value);
  } else {
    tensor->SetReal(i, static_cast<float>(value));
  }
}

int Complexity(double value) {
  if (value == 0.0) return std::signbit(value) ? 1 : 0;
  if (std::isnan(value)) return 3000;
  if (std::isinf(value)) return value > 0 ? 2998 : 2999;
  const int sign = value < 0 ? 1 : 0;
  const double size = std::fabs(value);
  if (size == std::floor(size) && size <= 8.0) return 2 * static_cast<int>(size) + sign;
  const int exponent = std::abs(std::ilogb(size));
  if (IsPowerOfTwo(size)) return 20 + 2 * exponent + sign;
  const auto digits = std::bit_cast<uint64_t>(size) & 0xfffffffffffff;
  return 400 + 40 * (52 - std::countr_zero(digits)) + std::min(exponent, 18) * 2 + sign;
}

std::vector<double> SimplerValues(double value, Dtype dtype) {
  std::vector<double> values = {0.0, 1.0, -1.0, 2.0, -2.0, 3.0};
  if (dtype == Dtype::kI64) {
    values = {0.0, 1.0, 2.0, std::floor(value / 2), value - 1.0};
  } else if (std::isfinite(value) && value != 0.0) {
    const double power = std::copysign(std::ldexp(1.0, std::ilogb(value)), value);
    values.push_back(std::copysign(1.0, value));
    values.push_back(std::round(value));
    // Powers of two nearer to 1: half the way, a quarter, ..., one step.
    const int exponent = std::ilogb(value);
    for (int left = exponent; left != 0; left /= 2) {
      values.push_back(std::copysign(std::ldexp(1.0, exponent - left), value));
    }
    values.push_back(power);
    values.push_back(2.0 * power);
    // Fewer digits: 1, 2, 4, 7 and 12 after the first.
    for (const int digits : {1, 2, 4, 7, 12}) {
      const double unit = std::fabs(power) * std::ldexp(1.0, -digits);
      values.push_back(std::trunc(value / unit) * unit);
    }
  } else if (!std::isfinite(value)) {
    values.push_back(INFINITY);
  }
  std::vector<double> simpler;
  for (const double next : values) {
    const auto held = [&] {
      if (dtype == Dtype::kI64) return next >= 0.0;
      Tensor one(dtype, {1});
      SetElement(&one, 0, next);
      return one.Real(0) == next;
    };
    if (Complexity(next) < Complexity(value) && held()) simpler.push_back(next);
  }
  std::stable_sort(simpler.begin(), simpler.end(),
                   [](double a, double b) { return Complexity(a) < Complexity(b); });
  simpler.erase(std::unique(simpler.begin(), simpler.end()), simpler.end());
  return simpler;
}

}  // namespace touchstone::fuzz
