// A non-owning window onto a tensor whose extents have names: View<const float, 'T', 'C'> x has
// rows of tokens and columns of channels, and x(t, c) is the element at (t, c). The letters are
// those of docs/chapters/dimensions.md; a digit is a fixed extent. Strides count elements.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <type_traits>

#include "reference/formats/require.h"

namespace touchstone {

template <typename T, char... kLetters>
struct View {
  static constexpr size_t kRank = sizeof...(kLetters);
  static constexpr std::array<char, kRank> kNames{kLetters...};

  static constexpr bool Carries(char letter) { return ((letter == kLetters) || ...); }

  T* data = nullptr;
  std::array<int64_t, kRank> shape{};
  std::array<int64_t, kRank> stride{};

  template <typename... Index>
  T& operator()(Index... index) const {
    static_assert(sizeof...(Index) == kRank, "one index for each letter");
    const std::array<int64_t, kRank> at{static_cast<int64_t>(index)...};
    int64_t offset = 0;
    for (size_t d = 0; d < kRank; ++d) {
#ifdef TOUCHSTONE_CHECK_INDEX
      TOUCHSTONE_REQUIRE(0 <= at[d] && at[d] < shape[d]);
#endif
      offset += at[d] * stride[d];
    }
    return data[offset];
  }

  // A mutable view is a readable view.
  template <typename U = T, typename = std::enable_if_t<!std::is_const_v<U>>>
  operator View<const U, kLetters...>() const {  // NOLINT(google-explicit-constructor)
    return {data, shape, stride};
  }
};

// A dense row-major view: Packed<'T', 'C'>(pointer, T, C).
template <char... kLetters, typename T, typename... Extent>
View<T, kLetters...> Packed(T* data, Extent... extent) {
  static_assert(sizeof...(Extent) == sizeof...(kLetters), "one extent for each letter");
  View<T, kLetters...> view{data, {static_cast<int64_t>(extent)...}, {}};
  int64_t step = 1;
  for (size_t d = sizeof...(Extent); d-- > 0;) {
    view.stride[d] = step;
    step *= view.shape[d];
  }
  return view;
}

// The extent that the letter names, which every view that carries the letter must share; that of a
// digit must be the digit:
//   const int64_t T = Extent<'T'>(x, positions, y);
template <char kLetter, typename... Views>
int64_t Extent(const Views&... views) {
  static_assert((Views::Carries(kLetter) || ...), "no view carries the letter");
  int64_t extent = '0' <= kLetter && kLetter <= '9' ? kLetter - '0' : -1;  // -1: not known yet
  int number = 0;  // of the view, from 1, for the message
  const auto look = [&extent, &number](const auto& view) {
    ++number;
    for (size_t d = 0; d < view.kRank; ++d) {
      if (view.kNames[d] != kLetter) continue;
      if (view.shape[d] < 0 || (extent >= 0 && view.shape[d] != extent)) {
        throw ContractViolation(std::string("extent ") + kLetter + " of view " +
                                std::to_string(number) + " is " + std::to_string(view.shape[d]) +
                                ", expected " +
                                (extent >= 0 ? std::to_string(extent) : "0 or more"));
      }
      extent = view.shape[d];
    }
  };
  (look(views), ...);
  return extent;
}

}  // namespace touchstone
