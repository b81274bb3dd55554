// What fuzz targets share that read their input as decisions.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>

namespace touchstone::fuzz {

// Hands out the input's bytes as decisions; zeros once they are spent.
class Choices {
 public:
  Choices(const uint8_t* data, size_t size) : data_(data), left_(size) {}

  bool spent() const { return left_ == 0; }
  uint8_t Byte() {
    if (left_ == 0) return 0;
    --left_;
    return *data_++;
  }
  size_t Below(size_t count) { return Byte() % count; }
  bool Once(size_t in) { return Below(in) == 1; }
  template <typename T, size_t kCount>
  const T& Of(const std::array<T, kCount>& list) {
    return list[Below(kCount)];
  }
  std::string Text(size_t most) {
    std::string text(Below(most + 1), '\0');
    for (char& c : text) c = static_cast<char>(Byte());
    return text;
  }
  uint64_t Number() {
    uint64_t number = 0;
    for (size_t bytes = Below(9); bytes > 0; --bytes) number = number << 8 | Byte();
    return number;
  }

 private:
  const uint8_t* data_;
  size_t left_;
};

}  // namespace touchstone::fuzz
