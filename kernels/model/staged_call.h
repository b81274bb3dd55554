// Calls a kernel's host function on tensors that lie on the host: each view's elements go to device
// memory, dense and row-major, the function runs there, and what is not const comes back. So a
// function of the reference's type is one again, wherever it computes.
//
//   Staged<static_cast<decltype(RmsNorm<float>)*>(rmsnorm::block_per_row)>::Call(x, weight, eps, y)
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <tuple>
#include <type_traits>
#include <vector>

#include "kernels/simt/simt.cuh"
#include "reference/formats/view.h"

namespace touchstone::kernels {

// A number is passed on as it is.
template <typename T>
class OnDevice {
 public:
  explicit OnDevice(T value) : value_(value) {}
  T argument() const { return value_; }
  void Return() const {}

 private:
  T value_;
};

template <typename T, char... kLetters>
class OnDevice<View<T, kLetters...>> {
 public:
  using Element = std::remove_const_t<T>;

  explicit OnDevice(const View<T, kLetters...>& host)
      : host_(host), count_(Count(host)), device_(count_) {
    if (count_ == 0) return;
    if (IsDense()) {
      simt::CopyToDevice(device_.data(), host_.data, Bytes());
      return;
    }
    // What lies between the elements of a view that is not dense belongs to others.
    std::vector<Element> packed;
    packed.reserve(static_cast<size_t>(count_));
    ForEach([&packed](const T& element) { packed.push_back(element); });
    simt::CopyToDevice(device_.data(), packed.data(), Bytes());
  }

  View<T, kLetters...> argument() const {
    View<T, kLetters...> view{device_.data(), host_.shape, {}};
    int64_t step = 1;
    for (size_t d = view.kRank; d-- > 0;) {
      view.stride[d] = step;
      step *= view.shape[d];
    }
    return view;
  }

  void Return() const {
    if constexpr (!std::is_const_v<T>) {
      if (count_ == 0) return;
      if (IsDense()) {
        simt::CopyToHost(host_.data, device_.data(), Bytes());
        return;
      }
      std::vector<Element> packed(static_cast<size_t>(count_));
      simt::CopyToHost(packed.data(), device_.data(), Bytes());
      size_t i = 0;
      ForEach([&](T& element) { element = packed[i++]; });
    }
  }

 private:
  static int64_t Count(const View<T, kLetters...>& view) {
    int64_t count = 1;
    for (const int64_t extent : view.shape) count *= extent;
    return count;
  }
  size_t Bytes() const { return static_cast<size_t>(count_) * sizeof(T); }
  bool IsDense() const { return host_.stride == argument().stride; }

  // Every element in row-major order.
  template <typename Visit>
  void ForEach(Visit visit) const {
    std::array<int64_t, sizeof...(kLetters)> at{};
    for (int64_t i = 0; i < count_; ++i) {
      int64_t offset = 0;
      for (size_t d = 0; d < at.size(); ++d) offset += at[d] * host_.stride[d];
      visit(host_.data[offset]);
      for (size_t d = at.size(); d-- > 0;) {
        if (++at[d] < host_.shape[d]) break;
        at[d] = 0;
      }
    }
  }

  View<T, kLetters...> host_;
  int64_t count_;
  simt::DeviceBuffer<Element> device_;
};

template <auto kFunction>
struct Staged;

template <typename... Parameters, void (*kFunction)(Parameters...)>
struct Staged<kFunction> {
  static void Call(Parameters... parameters) {
    const std::tuple<OnDevice<Parameters>...> staged(parameters...);
    std::apply([](const auto&... one) { kFunction(one.argument()...); }, staged);
    std::apply([](const auto&... one) { (one.Return(), ...); }, staged);
  }
};

}  // namespace touchstone::kernels
