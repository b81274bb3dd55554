#include "tests/bits/cases.h"

#include <bit>
#include <cmath>
#include <limits>
#include <stdexcept>

#include "reference/formats/philox.h"

namespace touchstone::bits {
namespace {

static_assert(std::endian::native == std::endian::little);

constexpr uint64_t kSeed = 1;

float Normal(uint32_t w, Dtype dtype, int exponent) {
  return dtype == Dtype::kF32 ? std::ldexp(static_cast<float>(PhiloxF32Integer(w)), -exponent - 8)
                              : std::ldexp(static_cast<float>(PhiloxBf16Integer(w)), -exponent);
}

float Special(uint32_t which, Dtype dtype) {
  const bool wide = dtype == Dtype::kF32;
  const float largest = wide ? std::numeric_limits<float>::max() : Widen(Bf16{0x7f7f});
  const float smallest = wide ? 0x1p-149f : 0x1p-133f;
  const float values[] = {INFINITY, -INFINITY, NAN, 0.0f, -0.0f, largest, -largest, smallest};
  return values[which];
}

float ValueOf(Class inputs, uint32_t w, Dtype dtype, int exponent) {
  switch (inputs) {
    case Class::kNormal:
      return Normal(w, dtype, exponent);
    case Class::kWide:
      return std::ldexp(Normal(w, dtype, exponent), static_cast<int>(w >> 27) - 16);
    case Class::kTies:
      return static_cast<float>(static_cast<int>(w % 5) - 2) / 4.0f;
    case Class::kSubnormals:
      return dtype == Dtype::kF32 ? std::ldexp(static_cast<float>(PhiloxF32Integer(w)), -149)
                                  : std::ldexp(static_cast<float>(PhiloxBf16Integer(w)), -133);
    case Class::kSpecials:
      return w % 64 == 0 ? Special((w >> 6) % 8, dtype) : Normal(w, dtype, exponent);
  }
  throw std::logic_error("no such class");
}

}  // namespace

void Output::Begin(const std::string& section) {
  CheckSection();
  section_ = section;
  elements_ = 0;
  bytes_ += "\n" + section + "\n";
}

void Output::Write(const Tensor& tensor) {
  Tensor canonical = tensor;
  for (int64_t i = 0; i < tensor.count(); ++i) {
    if (tensor.dtype == Dtype::kF32) {
      canonical.values<float>()[i] = CanonicalNan(tensor.values<float>()[i]);
    } else if (tensor.dtype == Dtype::kBf16) {
      canonical.values<Bf16>()[i] = CanonicalNan(tensor.values<Bf16>()[i]);
    }
  }
  bytes_.append(reinterpret_cast<const char*>(canonical.data.data()), canonical.data.size());
  elements_ += tensor.count();
}

const std::string& Output::Finish() {
  CheckSection();
  section_.clear();
  return bytes_;
}

void Output::CheckSection() const {
  if (!section_.empty() && elements_ < kFewest) {
    throw std::logic_error("section " + section_ + " has only " + std::to_string(elements_) +
                           " elements, expected " + std::to_string(kFewest) + " or more");
  }
}

Tensor Source::Floats(Class inputs, Dtype dtype, std::vector<int64_t> shape, int exponent) {
  Tensor tensor(dtype, std::move(shape));
  for (int64_t i = 0; i < tensor.count(); ++i) {
    const uint32_t w = PhiloxWord(kSeed, number_, static_cast<uint64_t>(i));
    tensor.SetReal(i, ValueOf(inputs, w, dtype, exponent));
  }
  ++number_;
  return tensor;
}

Tensor Source::Indices(std::vector<int64_t> shape, int64_t below) {
  Tensor tensor(Dtype::kI64, std::move(shape));
  for (int64_t i = 0; i < tensor.count(); ++i) {
    tensor.values<int64_t>()[i] = PhiloxWord(kSeed, number_, static_cast<uint64_t>(i)) % below;
  }
  ++number_;
  return tensor;
}

Tensor Integers(const std::vector<int64_t>& values) {
  Tensor tensor(Dtype::kI64, {std::ssize(values)});
  for (size_t i = 0; i < values.size(); ++i) tensor.values<int64_t>()[i] = values[i];
  return tensor;
}

}  // namespace touchstone::bits
