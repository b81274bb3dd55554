// A kernel's host function and the tensors of a problem, on the device and, for the judge, on the
// host. Everything follows from the function's type: its views are the tensors, const ones inputs.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include "bench/kernels/problem.h"
#include "kernels/simt/simt.cuh"
#include "reference/formats/bf16.h"
#include "reference/formats/philox.h"
#include "reference/formats/view.h"

namespace touchstone::bench {

using Forgotten = void (*)();

// What the judge said. Verdicts are the lab's words.
struct Judged {
  std::string verdict = "FAILED", what = {};
  int64_t compared = 0;
};

class DeviceCall {
 public:
  virtual ~DeviceCall() = default;
  // Tensors as they are before a call: inputs drawn by rule N10, outputs full of NaNs.
  virtual void Fill() = 0;
  virtual void Run(Forgotten kernel) const = 0;
  virtual double Bytes() const = 0;
  // Runs the kernel and compares with the reference.
  virtual Judged Judge(Forgotten kernel, Forgotten reference, bool is_bounded) = 0;
};

template <typename Storage>
__global__ void DrawTensor(Storage* data, int64_t count, uint32_t tensor) {
  for (int64_t i = int64_t{blockIdx.x} * blockDim.x + threadIdx.x; i < count;
       i += int64_t{gridDim.x} * blockDim.x) {
    const uint32_t word = PhiloxWord(1, tensor, static_cast<uint64_t>(i));
    data[i] = Narrow<Storage>(sizeof(Storage) == sizeof(float)
                                  ? static_cast<float>(PhiloxF32Integer(word)) * 0x1p-15f
                                  : static_cast<float>(PhiloxBf16Integer(word)) * 0x1p-7f);
  }
}

// Rows [begin, begin + count) of a letter; letter 0: everything.
struct Rows {
  char letter = 0;
  int64_t begin = 0, count = 0;
};

// Where among a function's arguments one stands.
struct Order {
  int argument = 0, scalar = 0;
};

template <typename T>
class Held {
 public:
  Held(const Problem& problem, Order* order) {
    ++order->argument;
    SetScalar(problem, order->scalar++, &value_);
  }
  const T& device() const { return value_; }
  const T& host(const Rows&) { return value_; }
  void Fill() {}
  void KeepInput() {}
  void TakeAbsolute() {}
  void TakeSigned() {}
  void KeepOutput() {}
  double bytes() const { return 0.0; }
  template <typename Report>
  void Compare(const Rows&, const Report&) const {}

 private:
  std::remove_cvref_t<T> value_{};
};
template <typename T>
class Held<const T&> : public Held<T> {
  using Held<T>::Held;
};

template <typename T, char... kLetters>
class Held<View<T, kLetters...>> {
 public:
  using Element = std::remove_const_t<T>;
  using Shape = View<T, kLetters...>;

  Held(const Problem& problem, Order* order)
      : problem_(problem),
        tensor_(static_cast<uint32_t>(++order->argument)),
        letters_{kLetters...},
        shape_{problem.size(kLetters)...} {
    count_ = 1;
    for (const int64_t extent : shape_) count_ *= extent;
    device_ = std::make_unique<simt::DeviceBuffer<Element>>(count_);
  }

  Shape device() const { return Of(device_->data(), shape_); }
  double bytes() const { return static_cast<double>(count_) * sizeof(T); }

  void Fill() {
    constexpr bool kIsIndex = std::is_same_v<Element, int64_t>;
    if constexpr (!std::is_const_v<T>) {
      const std::vector<char> poison(sizeof(T) * static_cast<size_t>(count_), '\xff');
      if (count_ > 0) simt::CopyToDevice(device_->data(), poison.data(), poison.size());
      if (!IsCache()) return;
    }
    if constexpr (kIsIndex) {
      std::vector<int64_t> values(static_cast<size_t>(count_));
      for (int64_t i = 0; i < count_; ++i) {
        values[static_cast<size_t>(i)] = IndexOf(problem_, letters_, i);
      }
      simt::CopyToDevice(device_->data(), values.data(), values.size() * sizeof(int64_t));
    } else {
      const auto blocks = static_cast<unsigned>(std::min<int64_t>(count_ / 256 + 1, 4096));
      simt::Launch({.grid = dim3(blocks), .block = dim3(256)}, DrawTensor<Element>, device_->data(),
                   count_, tensor_);
    }
  }

  // Of a const tensor once: what Fill makes is always the same.
  void KeepInput() {
    if (!std::is_const_v<T> || before_.empty()) Take(&before_);
  }
  void KeepOutput() {
    if constexpr (!std::is_const_v<T>) Take(&got_);
  }
  void TakeSigned() { before_ = std::move(signed_); }
  void TakeAbsolute() {
    signed_ = before_;
    if constexpr (!std::is_same_v<Element, int64_t>) {
      for (Element& one : before_) one = Narrow<Element>(std::fabs(Widen(one)));
    }
  }

  // For the reference: inputs as they lie, other tensors in memory of their own.
  Shape host(const Rows& rows) {
    const auto [begin, shape] = Part(rows);
    if constexpr (std::is_same_v<T, const int64_t>) {
      if (letters_ == "O" && rows.letter == 'R') {
        clipped_ = before_;
        for (int64_t& offset : clipped_) {
          offset = std::clamp(offset - rows.begin, int64_t{0}, rows.count);
        }
        return Of(clipped_.data(), shape);
      }
    }
    if constexpr (std::is_const_v<T>) {
      return Of(before_.data() + begin, shape);
    } else {
      int64_t count = 1;
      for (const int64_t extent : shape) count *= extent;
      expected_.assign(before_.begin() + begin, before_.begin() + begin + count);
      return Of(expected_.data(), shape);
    }
  }

  // report(got, expected, index) for every element of an output's rows.
  template <typename Report>
  void Compare(const Rows& rows, const Report& report) const {
    if constexpr (!std::is_const_v<T>) {
      const int64_t begin = Part(rows).first;
      for (size_t i = 0; i < expected_.size(); ++i) {
        report(got_[static_cast<size_t>(begin) + i], expected_[i], begin + static_cast<int64_t>(i));
      }
    }
  }

 private:
  bool IsCache() const { return letters_[0] == 'S'; }

  void Take(std::vector<Element>* to) const {
    to->resize(static_cast<size_t>(count_));
    if (count_ > 0) simt::CopyToHost(to->data(), device_->data(), sizeof(T) * to->size());
  }

  std::pair<int64_t, std::array<int64_t, sizeof...(kLetters)>> Part(const Rows& rows) const {
    auto shape = shape_;
    if (rows.letter == 0 || letters_[0] != rows.letter) return {0, shape};
    shape[0] = rows.count;
    return {shape_[0] == 0 ? 0 : rows.begin * (count_ / shape_[0]), shape};
  }

  static Shape Of(T* data, const std::array<int64_t, sizeof...(kLetters)>& shape) {
    Shape view{data, shape, {}};
    int64_t step = 1;
    for (size_t d = shape.size(); d-- > 0;) {
      view.stride[d] = step;
      step *= shape[d];
    }
    return view;
  }

  const Problem& problem_;
  uint32_t tensor_;
  std::string letters_;
  std::array<int64_t, sizeof...(kLetters)> shape_;
  int64_t count_ = 0;
  std::unique_ptr<simt::DeviceBuffer<Element>> device_;
  std::vector<Element> before_, signed_, got_, expected_, clipped_;
};

inline double Real(float x) { return x; }
inline double Real(Bf16 x) { return Widen(x); }
inline double Real(int64_t x) { return static_cast<double>(x); }

template <typename Function>
class CallOf;

template <typename... Parameters>
class CallOf<void(Parameters...)> : public DeviceCall {
 public:
  // In braces the arguments are made in their order.
  explicit CallOf(const Problem& problem)
      : problem_(problem), held_{std::make_unique<Held<Parameters>>(problem, &order_)...} {}

  void Fill() override {
    ForAll([](auto& one) { one.Fill(); });
  }
  void Run(Forgotten kernel) const override {
    std::apply(
        [&](const auto&... one) {
          reinterpret_cast<void (*)(Parameters...)>(kernel)(one->device()...);
        },
        held_);
  }
  double Bytes() const override {
    double bytes = 0.0;
    std::apply([&](const auto&... one) { ((bytes += one->bytes()), ...); }, held_);
    return bytes;
  }

  Judged Judge(Forgotten kernel, Forgotten reference, bool is_bounded) override {
    Fill();
    ForAll([](auto& one) { one.KeepInput(); });
    Run(kernel);
    ForAll([](auto& one) { one.KeepOutput(); });
    Judged judged;
    for (const Rows& rows : JudgedRows()) {
      std::vector<std::vector<double>> sums;  // of absolute products, of a bounded kernel
      if (is_bounded) {
        ForAll([](auto& one) { one.TakeAbsolute(); });
        Call(reference, rows);
        ForAll([&](auto& one) {
          sums.emplace_back();
          one.Compare(rows, [&](auto, auto sum, int64_t) { sums.back().push_back(Real(sum)); });
        });
        ForAll([](auto& one) { one.TakeSigned(); });
      }
      Call(reference, rows);
      size_t tensor = 0;
      ForAll([&](auto& one) {
        size_t i = 0;
        one.Compare(rows, [&](auto got, auto expected, int64_t at) {
          ++judged.compared;
          const bool same = std::memcmp(&got, &expected, sizeof got) == 0;
          const bool right =
              same || (is_bounded && Accepted(Real(got), Real(expected), sums[tensor][i],
                                              sizeof got == 4 && problem_.recipe == Dtype::kF32));
          ++i;
          if (right || !judged.what.empty()) return;
          judged.what = "argument " + std::to_string(tensor + 1) + ", element " +
                        std::to_string(at) + ": got " + std::to_string(Real(got)) + ", expected " +
                        std::to_string(Real(expected));
        });
        ++tensor;
      });
    }
    if (judged.compared > 0 && judged.what.empty()) {
      judged.verdict = is_bounded ? "WITHIN BOUND" : "BIT-EXACT";
    }
    return judged;
  }

 private:
  // Each of two sums of C products in binary32, in any order, is within C 2^-24 of the sum of
  // absolute products from the real value (whose own sum is off by 2^-8 at most), and each has one
  // rounding to the output's format.
  bool Accepted(double got, double expected, double absolute, bool is_f32) const {
    const double off = static_cast<double>(problem_.size('C')) * 0x1p-24 * absolute * (1 + 0x1p-7);
    const double unit = is_f32 ? 0x1p-24 : 0x1p-8;
    return std::fabs(got - expected) <= 2 * off + unit * (std::fabs(got) + std::fabs(expected));
  }

  std::vector<Rows> JudgedRows() const {
    const char letter = RowsOf(problem_.op);
    if (letter == 0) return {Rows{}};
    const int64_t all = problem_.size(letter), some = 2;
    if (all <= 2 * some) return {{letter, 0, all}};
    return {{letter, 0, some}, {letter, all - some, some}};
  }

  void Call(Forgotten reference, const Rows& rows) {
    std::apply(
        [&](auto&... one) {
          reinterpret_cast<void (*)(Parameters...)>(reference)(one->host(rows)...);
        },
        held_);
  }

  template <typename Visit>
  void ForAll(const Visit& visit) {
    std::apply([&](auto&... one) { (visit(*one), ...); }, held_);
  }

  const Problem& problem_;
  Order order_;
  std::tuple<std::unique_ptr<Held<Parameters>>...> held_;
};

}  // namespace touchstone::bench
