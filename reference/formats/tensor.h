// A tensor that owns its memory: dtype, extents, row-major elements. What cases, golden files and
// the lab pass around; ops see views of it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <numeric>
#include <type_traits>
#include <utility>
#include <vector>

#include "reference/formats/bf16.h"
#include "reference/formats/dtype.h"
#include "reference/formats/require.h"
#include "reference/formats/view.h"

namespace touchstone {

struct Tensor {
  Dtype dtype = Dtype::kF32;
  std::vector<int64_t> shape;
  std::vector<std::byte> data;

  Tensor() = default;
  // All bits zero. Throws where an extent is negative or the size does not fit 63 bits.
  Tensor(Dtype type, std::vector<int64_t> extents) : dtype(type), shape(std::move(extents)) {
    int64_t bytes = static_cast<int64_t>(ElementBytes(dtype));
    for (const int64_t extent : shape) {
      TOUCHSTONE_REQUIRE(extent >= 0);
      TOUCHSTONE_REQUIRE(extent == 0 || bytes <= std::numeric_limits<int64_t>::max() / extent);
      bytes *= extent;
    }
    data.resize(static_cast<size_t>(bytes));
  }

  int64_t count() const {
    return std::accumulate(shape.begin(), shape.end(), int64_t{1}, std::multiplies<>());
  }

  template <typename T>
  T* values() {
    TOUCHSTONE_REQUIRE(dtype == kDtypeOf<std::remove_const_t<T>>);
    return reinterpret_cast<T*>(data.data());
  }
  template <typename T>
  const T* values() const {
    return const_cast<Tensor*>(this)->values<T>();
  }

  // The dense view whose letters name the extents.
  template <typename T, char... kLetters>
  View<T, kLetters...> As() {
    return Strided<T, kLetters...>(values<T>());
  }
  template <typename T, char... kLetters>
  View<const T, kLetters...> As() const {
    return Strided<const T, kLetters...>(values<T>());
  }

  // Element i, exactly. No storage format here is wider than binary64; i64 must stay below 2^53.
  double Real(int64_t i) const {
    switch (dtype) {
      case Dtype::kF32:
        return static_cast<double>(values<float>()[i]);
      case Dtype::kBf16:
        return static_cast<double>(Widen(values<Bf16>()[i]));
      case Dtype::kI64:
        return static_cast<double>(values<int64_t>()[i]);
      default:
        throw ContractViolation("Tensor::Real: a dtype that no recipe stores yet");
    }
  }

  // Stores x, which is rounded once (binary64 to binary32 to bf16 rounds twice: pass binary32).
  void SetReal(int64_t i, float x) {
    if (dtype == Dtype::kF32) {
      values<float>()[i] = x;
    } else {
      values<Bf16>()[i] = NarrowToBf16(x);
    }
  }

 private:
  template <typename T, char... kLetters>
  View<T, kLetters...> Strided(T* first) const {
    TOUCHSTONE_REQUIRE(shape.size() == sizeof...(kLetters));
    TOUCHSTONE_REQUIRE(data.size() == static_cast<size_t>(count()) * sizeof(T));
    View<T, kLetters...> view{first, {}, {}};
    int64_t step = 1;
    for (size_t d = shape.size(); d-- > 0;) {
      view.shape[d] = shape[d];
      view.stride[d] = step;
      step *= shape[d];
    }
    return view;
  }
};

}  // namespace touchstone
