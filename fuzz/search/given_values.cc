#include "fuzz/search/given_values.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <limits>

#include "lab/input_class.h"

namespace touchstone::fuzz {
namespace {

using lab::Argument;

// An element whose bits are drawn: sign, an exponent in a window, and the significand's.
float DrawBits(Dtype dtype, int least_exponent, int window, Draws* draws) {
  const uint32_t w = draws->Word();
  const int exponent = std::clamp(least_exponent + static_cast<int>(draws->Below(window)), 0, 254);
  const uint32_t digits = dtype == Dtype::kF32 ? w & 0x7fffff : w & 0x7f0000;
  return std::bit_cast<float>((w & 0x80000000) | static_cast<uint32_t>(exponent) << 23 | digits);
}

float DrawSpecial(Dtype dtype, Draws* draws) {
  const bool wide = dtype == Dtype::kF32;
  const float unit = wide ? 0x1p-23f : 0x1p-7f;
  const float least = wide ? 0x1p-149f : 0x1p-133f;
  const float most = wide ? std::numeric_limits<float>::max() : 0x1.fep127f;
  const std::array<float, 22> values = {0.0f,
                                        -0.0f,
                                        1.0f,
                                        -1.0f,
                                        2.0f,
                                        0.5f,
                                        1.0f + unit,
                                        1.0f - unit / 2,
                                        INFINITY,
                                        -INFINITY,
                                        NAN,
                                        most,
                                        -most,
                                        least,
                                        -least,
                                        0x1p-126f,
                                        0x1p64f,
                                        -0x1p64f,
                                        88.5f,
                                        -88.5f,
                                        0x1p-126f * (1.0f - unit),
                                        0x1p-64f};
  return draws->Of(values);
}

// Numbers of no great size: the ones that a tensor of few values or one value has.
float DrawPlain(Dtype dtype, Draws* draws) {
  switch (draws->Below(4)) {
    case 0:
      return static_cast<float>(draws->Between(-4, 4));
    case 1:
      return std::ldexp(draws->Once(2) ? 1.0f : -1.0f, static_cast<int>(draws->Between(-12, 12)));
    case 2:
      return DrawSpecial(dtype, draws);
    default:
      return lab::NormalValue(draws->Word(), dtype, 7);
  }
}

using Fill = void (*)(const Trial&, const Argument&, Draws*, Tensor*);

void FillGeneral(const Trial& trial, const Argument& argument, Draws* draws, Tensor* out) {
  lab::FillByClass(draws->Of(lab::GeneralClassNames()), trial.c.seed, draws->Word(),
                   argument.exponent, out);
}

void FillBits(const Trial&, const Argument&, Draws* draws, Tensor* out) {
  const int window = draws->Once(4) ? 255 : 1 + static_cast<int>(draws->Below(40));
  const int least = draws->Once(4) ? 0 : 100 + static_cast<int>(draws->Below(50));
  for (int64_t i = 0; i < out->count(); ++i) {
    out->SetReal(i, DrawBits(out->dtype, window == 255 ? 0 : least, window, draws));
  }
}

void FillSparse(const Trial&, const Argument& argument, Draws* draws, Tensor* out) {
  const int64_t one_in = draws->Between(2, 16);
  for (int64_t i = 0; i < out->count(); ++i) {
    const bool zero = !draws->Once(one_in);
    out->SetReal(i, zero ? 0.0f : lab::NormalValue(draws->Word(), out->dtype, argument.exponent));
  }
}

// One element of each row, or of the whole tensor, is not zero.
void FillOneHot(const Trial&, const Argument&, Draws* draws, Tensor* out) {
  const int64_t count = out->count();
  const int64_t row = draws->Once(2) || out->shape.empty() ? count : out->shape.back();
  for (int64_t i = 0; i < count; ++i) out->SetReal(i, 0.0f);
  const float value = draws->Once(2) ? 1.0f : DrawPlain(out->dtype, draws);
  for (int64_t first = 0; row > 0 && first + row <= count; first += row) {
    out->SetReal(first + draws->Below(row), value);
  }
}

void FillFew(const Trial&, const Argument&, Draws* draws, Tensor* out) {
  std::vector<float> values;
  for (int64_t n = draws->Between(1, 4); n > 0; --n) values.push_back(DrawPlain(out->dtype, draws));
  for (int64_t i = 0; i < out->count(); ++i) out->SetReal(i, draws->Of(values));
}

// The case's own values with some special ones among them.
void FillSprinkled(const Trial&, const Argument&, Draws* draws, Tensor* out) {
  if (out->count() == 0) return;
  for (int64_t n = draws->Between(1, 4); n > 0; --n) {
    out->SetReal(draws->Below(out->count()), DrawSpecial(out->dtype, draws));
  }
}

// Neighbours cancel, all but a unit in the last place of some.
void FillCancel(const Trial& trial, const Argument& argument, Draws* draws, Tensor* out) {
  lab::FillByClass("normal", trial.c.seed, draws->Word(), argument.exponent, out);
  const float unit = out->dtype == Dtype::kF32 ? 0x1p-23f : 0x1p-7f;
  for (int64_t i = 1; i < out->count(); i += 2) {
    const float before = static_cast<float>(out->Real(i - 1));
    out->SetReal(i, draws->Once(4) ? -before * (1.0f + unit) : -before);
  }
}

void FillPowers(const Trial&, const Argument&, Draws* draws, Tensor* out) {
  const int reach = draws->Once(3) ? 60 : 6;
  for (int64_t i = 0; i < out->count(); ++i) {
    const int exponent = static_cast<int>(draws->Between(-reach, reach));
    out->SetReal(i, std::ldexp(draws->Once(2) ? 1.0f : -1.0f, exponent));
  }
}

struct Pattern {
  const char* name;
  Fill fill;
};
constexpr Pattern kPatterns[] = {{"other class", FillGeneral}, {"bits", FillBits},
                                 {"sparse", FillSparse},       {"one-hot", FillOneHot},
                                 {"few values", FillFew},      {"sprinkled", FillSprinkled},
                                 {"cancel", FillCancel},       {"powers of two", FillPowers}};

// Exchanges, repeats, or moves by one some of the values that the op's own fill made.
void MoveIntegers(Draws* draws, Tensor* tensor) {
  const int64_t count = tensor->count();
  int64_t* values = tensor->values<int64_t>();
  if (count == 0) return;
  for (int64_t n = draws->Between(1, 3); n > 0; --n) {
    const int64_t i = draws->Below(count), j = draws->Below(count);
    switch (draws->Below(4)) {
      case 0:
        std::swap(values[i], values[j]);
        break;
      case 1:
        values[i] = values[j];
        break;
      case 2:
        values[i] += draws->Once(2) ? 1 : -1;
        break;
      default:
        values[i] = draws->Once(2) ? 0 : draws->Below(8);
    }
  }
}

}  // namespace

const std::vector<std::string>& PatternNames() {
  static const std::vector<std::string> names = [] {
    std::vector<std::string> all = {"class"};
    for (const Pattern& pattern : kPatterns) all.emplace_back(pattern.name);
    all.emplace_back("integers moved");
    return all;
  }();
  return names;
}

void GiveValues(Draws* draws, Trial* trial) {
  std::vector<std::string> used;
  for (const Argument& argument : trial->c.op->arguments) {
    if (!IsInput(argument)) continue;
    Tensor& tensor = trial->tensors.at(argument.name);
    if (tensor.dtype == Dtype::kI64) {
      if (!draws->Once(4)) continue;
      MoveIntegers(draws, &tensor);
      used.emplace_back("integers moved");
    } else if (!draws->Once(4)) {
      const Pattern& pattern = kPatterns[draws->Below(std::ssize(kPatterns))];
      pattern.fill(*trial, argument, draws, &tensor);
      used.emplace_back(pattern.name);
    }
  }
  if (used.empty()) return;
  trial->given = true;
  trial->patterns = used;
}

}  // namespace touchstone::fuzz
