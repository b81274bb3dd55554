// Calls a kernel's host function on tensors that lie on the host: each view's elements go to device
// memory, dense and row-major, the function runs there, and what is not const comes back. So a
// function of the reference's type is one again, wherever it computes.
//
//   Staged<static_cast<decltype(RmsNorm<float>)*>(rmsnorm::block_per_row)>::Call(x, weight, eps, y)
//
// The kernel is watched: a band lies before and behind every tensor on the device, and each band
// and each const tensor must be there unchanged afterwards. What is not const begins on the device
// as it is on the host, so that a host's poison is the device's.
//
// The bands hold NaNs in one call and large numbers in the next: a kernel that writes the bits of
// one, or reads one and ignores what it is, does not do so to the other. The lab runs each case
// twice.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <tuple>
#include <type_traits>
#include <vector>

#include "kernels/simt/simt.cuh"
#include "reference/formats/view.h"

namespace touchstone::kernels {

// Seconds that the device took in the last call of the calling thread: events about the kernel's
// host function. The way of the tensors is not in it.
inline double& SecondsOfLastCall() {
  thread_local double seconds = 0.0;
  return seconds;
}

// What is in every byte of the guard bands, in the calling thread's call.
inline std::byte& FillOfGuards() {
  thread_local std::byte fill{0x7f};
  return fill;
}

inline void ChangeFillOfGuards() {
  FillOfGuards() = FillOfGuards() == std::byte{0xff} ? std::byte{0x7f} : std::byte{0xff};
}

// Memory of the device between two guard bands.
class GuardedMemory {
 public:
  static constexpr size_t kGuard = 4096;  // a multiple of the alignment of tensors

  explicit GuardedMemory(size_t bytes)
      : bytes_(bytes), device_(static_cast<int64_t>(bytes + 2 * kGuard)) {
    const std::vector<std::byte> guard(kGuard, fill_);
    simt::CopyToDevice(device_.data(), guard.data(), kGuard);
    simt::CopyToDevice(data() + bytes_, guard.data(), kGuard);
  }

  std::byte* data() const { return device_.data() + kGuard; }

  // What was written to the bands: "writes 4 bytes past the end of " and `name`; else nothing.
  std::string Breach(const std::string& name) const {
    std::string said = Damage(device_.data(), true, "before the beginning of " + name);
    return said + Damage(data() + bytes_, false, "past the end of " + name);
  }

 private:
  std::string Damage(const std::byte* device, bool before, const std::string& where) const {
    std::vector<std::byte> band(kGuard);
    simt::CopyToHost(band.data(), device, kGuard);
    size_t count = 0, nearest = 0;
    for (size_t i = 0; i < kGuard; ++i) {
      const size_t at = before ? i : kGuard - 1 - i;  // towards the tensor
      if (band[at] == fill_) continue;
      ++count;
      nearest = kGuard - 1 - i;
    }
    if (count == 0) return {};
    return "writes " + std::to_string(count) + (count == 1 ? " byte " : " bytes ") + where +
           ", the nearest " + std::to_string(nearest) + " bytes away; ";
  }

  const std::byte fill_ = FillOfGuards();
  size_t bytes_;
  simt::DeviceBuffer<std::byte> device_;
};

// A number is passed on as it is.
template <typename T>
class OnDevice {
 public:
  explicit OnDevice(T value) : value_(value) {}
  T argument() const { return value_; }
  std::string Breach(int) const { return {}; }
  void Return() const {}

 private:
  T value_;
};

template <typename T, char... kLetters>
class OnDevice<View<T, kLetters...>> {
 public:
  using Element = std::remove_const_t<T>;

  explicit OnDevice(const View<T, kLetters...>& host)
      : host_(host), count_(Count(host)), device_(Bytes()) {
    // What lies between the elements of a view that is not dense belongs to others.
    if (!IsDense()) {
      packed_.reserve(static_cast<size_t>(count_));
      ForEach([this](const T& element) { packed_.push_back(element); });
    }
    if (count_ > 0) simt::CopyToDevice(device_.data(), Sent(), Bytes());
  }

  View<T, kLetters...> argument() const {
    View<T, kLetters...> view{reinterpret_cast<T*>(device_.data()), host_.shape, {}};
    int64_t step = 1;
    for (size_t d = view.kRank; d-- > 0;) {
      view.stride[d] = step;
      step *= view.shape[d];
    }
    return view;
  }

  // What the call did that it may not do; else nothing. `number` is the argument's, from 1.
  std::string Breach(int number) const {
    std::string name = "argument " + std::to_string(number) + " (";
    for (const char letter : {kLetters...}) name += letter;
    name += ')';
    std::string said = device_.Breach(name);
    if constexpr (std::is_const_v<T>) {
      const std::vector<Element> now = FromDevice();
      const T* const sent = Sent();
      if (count_ == 0 || std::memcmp(now.data(), sent, Bytes()) == 0) return said;
      for (int64_t i = 0; i < count_; ++i) {
        if (std::memcmp(&now[static_cast<size_t>(i)], sent + i, sizeof(T)) == 0) continue;
        return said + "changes its input " + name + ", first element " + std::to_string(i) + "; ";
      }
    }
    return said;
  }

  void Return() const {
    if constexpr (!std::is_const_v<T>) {
      if (count_ == 0) return;
      if (IsDense()) {
        simt::CopyToHost(host_.data, device_.data(), Bytes());
        return;
      }
      const std::vector<Element> now = FromDevice();
      size_t i = 0;
      ForEach([&](T& element) { element = now[i++]; });
    }
  }

 private:
  static int64_t Count(const View<T, kLetters...>& view) {
    int64_t count = 1;
    for (const int64_t extent : view.shape) count *= extent;
    return count;
  }
  size_t Bytes() const { return static_cast<size_t>(count_) * sizeof(T); }
  bool IsDense() const { return count_ == 0 || host_.stride == argument().stride; }
  const T* Sent() const { return packed_.empty() ? host_.data : packed_.data(); }

  std::vector<Element> FromDevice() const {
    std::vector<Element> now(static_cast<size_t>(count_));
    if (count_ > 0) simt::CopyToHost(now.data(), device_.data(), Bytes());
    return now;
  }

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
  std::vector<Element> packed_;  // of a view that is not dense, as it was sent
  GuardedMemory device_;
};

template <auto kFunction>
struct Staged;

// Throws ExecutionError, with nothing brought back, where the kernel did what it may not do.
template <typename... Parameters, void (*kFunction)(Parameters...)>
struct Staged<kFunction> {
  static void Call(Parameters... parameters) {
    ChangeFillOfGuards();
    const std::tuple<OnDevice<Parameters>...> staged(parameters...);
    simt::Timer timer;
    timer.Start();
    std::apply([](const auto&... one) { kFunction(one.argument()...); }, staged);
    SecondsOfLastCall() = timer.Stop();
    int number = 0;
    std::string said;
    std::apply([&](const auto&... one) { ((said += one.Breach(++number)), ...); }, staged);
    if (!said.empty()) throw simt::ExecutionError(said.substr(0, said.size() - 2));
    std::apply([](const auto&... one) { (one.Return(), ...); }, staged);
  }
};

}  // namespace touchstone::kernels
