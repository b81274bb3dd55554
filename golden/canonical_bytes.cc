#include "golden/canonical_bytes.h"

#include <algorithm>
#include <bit>
#include <cstdint>
#include <utility>

#include "reference/formats/bf16.h"
#include "reference/formats/dtype.h"
#include "reference/formats/require.h"

namespace touchstone::golden {
namespace {

// Tensors hold their elements in the order of the machine, files and hashes in little endian.
static_assert(std::endian::native == std::endian::little, "needs a little-endian machine");

constexpr std::byte kCanonicalNanE4m3{0x7f};
constexpr std::byte kCanonicalNanE5m2{0x7f};

std::byte CanonicalE4m3(std::byte x) {
  return (x & std::byte{0x7f}) == std::byte{0x7f} ? kCanonicalNanE4m3 : x;
}

std::byte CanonicalE5m2(std::byte x) {
  return (x & std::byte{0x7f}) > std::byte{0x7c} ? kCanonicalNanE5m2 : x;
}

template <typename T>
void CanonicalizeNans(Tensor* tensor) {
  T* values = tensor->values<T>();
  std::transform(values, values + tensor->count(), values, [](T x) { return CanonicalNan(x); });
}

}  // namespace

std::vector<std::byte> CanonicalBytes(const Tensor& tensor) {
  Tensor canonical = tensor;
  std::vector<std::byte>& bytes = canonical.data;
  TOUCHSTONE_REQUIRE(bytes.size() ==
                     static_cast<size_t>(tensor.count()) * ElementBytes(tensor.dtype));
  switch (tensor.dtype) {
    case Dtype::kF32:
      CanonicalizeNans<float>(&canonical);
      break;
    case Dtype::kBf16:
      CanonicalizeNans<Bf16>(&canonical);
      break;
    case Dtype::kE4m3:
      std::transform(bytes.begin(), bytes.end(), bytes.begin(), CanonicalE4m3);
      break;
    case Dtype::kE5m2:
      std::transform(bytes.begin(), bytes.end(), bytes.begin(), CanonicalE5m2);
      break;
    case Dtype::kE8m0:  // its one NaN is 0xff
    case Dtype::kInt4:
    case Dtype::kI64:
      break;
  }
  return std::move(bytes);
}

}  // namespace touchstone::golden
