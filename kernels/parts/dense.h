// What a kernel asks of its tensors: dense and row-major. Host side.
#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "reference/formats/view.h"

namespace touchstone::kernels {

// The data of a dense, row-major view; any other view is a contract violation. Never null: kernels
// add offsets even to the address of no elements.
template <typename T, char... kLetters>
T* Dense(const View<T, kLetters...>& view) {
  int64_t step = 1;
  bool empty = false;
  for (size_t d = 0; d < view.kRank; ++d) empty = empty || view.shape[d] == 0;
  for (size_t d = view.kRank; d-- > 0;) {
    TOUCHSTONE_REQUIRE(empty || view.shape[d] == 1 || view.stride[d] == step);
    step *= view.shape[d];
  }
  static std::remove_const_t<T> none{};  // never read
  return view.data != nullptr ? view.data : &none;
}

}  // namespace touchstone::kernels
