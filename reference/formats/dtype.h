// The storage formats of tensors, and how files spell them (rule N2).
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace touchstone {

// e4m3, e5m2, e8m0 and int4 have their names reserved here; their conversions get a header each,
// beside bf16.h, together with the recipes that store them.
enum class Dtype { kF32, kBf16, kE4m3, kE5m2, kE8m0, kInt4, kI64 };

constexpr std::string_view Name(Dtype dtype) {
  switch (dtype) {
    case Dtype::kF32:
      return "f32";
    case Dtype::kBf16:
      return "bf16";
    case Dtype::kE4m3:
      return "e4m3";
    case Dtype::kE5m2:
      return "e5m2";
    case Dtype::kE8m0:
      return "e8m0";
    case Dtype::kInt4:
      return "int4";
    case Dtype::kI64:
      return "i64";
  }
  return "unknown";
}

constexpr std::optional<Dtype> DtypeFromName(std::string_view name) {
  for (const Dtype dtype : {Dtype::kF32, Dtype::kBf16, Dtype::kE4m3, Dtype::kE5m2, Dtype::kE8m0,
                            Dtype::kInt4, Dtype::kI64}) {
    if (name == Name(dtype)) return dtype;
  }
  return std::nullopt;
}

// Bytes of one element in memory and in files; int4 takes one byte an element until it is packed.
constexpr size_t ElementBytes(Dtype dtype) {
  switch (dtype) {
    case Dtype::kF32:
      return 4;
    case Dtype::kBf16:
      return 2;
    case Dtype::kI64:
      return 8;
    default:
      return 1;
  }
}

}  // namespace touchstone
