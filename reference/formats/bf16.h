// bfloat16 storage: the upper 16 bits of a binary32. Rules N2 and N8.
//
//   Widen         bf16 -> binary32, exact (subnormals, infinities and signed zeros included)
//   NarrowToBf16  binary32 -> bf16, one rounding to nearest, ties to even; overflow gives infinity;
//                 subnormals are kept; every NaN becomes 0x7fc0
//
// Both are integer operations of our own: library and hardware conversions differ between versions,
// and some flush subnormals to zero. Arithmetic is never done in a storage type: widen, compute,
// narrow by name.
#pragma once

#include <bit>
#include <concepts>
#include <cstdint>

#include "reference/formats/dtype.h"
#include "reference/formats/host_device.h"

namespace touchstone {

struct Bf16 {
  uint16_t bits = 0;
  friend constexpr bool operator==(Bf16, Bf16) = default;  // equality of bits: -0 is not +0
};

inline constexpr uint32_t kCanonicalNanF32 = 0x7fc00000;
inline constexpr uint16_t kCanonicalNanBf16 = 0x7fc0;

// [doc: widen]
TOUCHSTONE_HOST_DEVICE constexpr float Widen(Bf16 x) {
  return std::bit_cast<float>(static_cast<uint32_t>(x.bits) << 16);
}
// [doc: end widen]

// [doc: narrow]
TOUCHSTONE_HOST_DEVICE constexpr Bf16 NarrowToBf16(float x) {
  const uint32_t bits = std::bit_cast<uint32_t>(x);
  if ((bits & 0x7fffffff) > 0x7f800000) return {kCanonicalNanBf16};
  // Half a unit of the last kept place, less one where that place is even: ties go to even. The
  // carry runs into the exponent by itself, up to infinity.
  const uint32_t half = 0x7fff + ((bits >> 16) & 1);
  return {static_cast<uint16_t>((bits + half) >> 16)};
}
// [doc: end narrow]

// The same two verbs for every storage type, so that an op is written once for all recipes.
TOUCHSTONE_HOST_DEVICE constexpr float Widen(float x) { return x; }

template <typename Storage>
TOUCHSTONE_HOST_DEVICE constexpr Storage Narrow(float x);
template <>
TOUCHSTONE_HOST_DEVICE constexpr float Narrow<float>(float x) {
  return x;
}
template <>
TOUCHSTONE_HOST_DEVICE constexpr Bf16 Narrow<Bf16>(float x) {
  return NarrowToBf16(x);
}

// RN of the recipes: one rounding to the storage format, read back as binary32.
template <typename Storage>
TOUCHSTONE_HOST_DEVICE constexpr float RoundTo(float x) {
  return Widen(Narrow<Storage>(x));
}

// Rule N8: in files and hashes a NaN is one value.
constexpr float CanonicalNan(float x) {
  return x == x ? x : std::bit_cast<float>(kCanonicalNanF32);
}
constexpr Bf16 CanonicalNan(Bf16 x) {
  return (x.bits & 0x7fff) > 0x7f80 ? Bf16{kCanonicalNanBf16} : x;
}

// The C++ types that tensors hold, and the dtype of each. Any other type does not compile.
template <typename T>
concept Element = std::same_as<T, float> || std::same_as<T, Bf16> || std::same_as<T, int64_t>;

template <Element T>
inline constexpr Dtype kDtypeOf = Dtype::kF32;
template <>
inline constexpr Dtype kDtypeOf<Bf16> = Dtype::kBf16;
template <>
inline constexpr Dtype kDtypeOf<int64_t> = Dtype::kI64;

}  // namespace touchstone
