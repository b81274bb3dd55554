// What the program `bits` runs: one function a row of reference/ops.def, named after its word. A
// row without a function does not link.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "reference/formats/tensor.h"

namespace touchstone::bits {

// Takes the bits of one section after another: names and elements, as they lie in a little-endian
// machine's memory. A NaN is written as the canonical one (rule N8).
class Output {
 public:
  // A section that ends with fewer elements than this has tried nothing.
  static constexpr int64_t kFewest = 1000;

  void Begin(const std::string& section);
  void Write(const Tensor& tensor);
  // Checks the last section and gives all bytes.
  const std::string& Finish();

 private:
  void CheckSection() const;

  std::string bytes_;
  std::string section_;
  int64_t elements_ = 0;
};

// The kinds of inputs; the formulas are those of the lab's classes of these names.
enum class Class { kNormal, kWide, kTies, kSubnormals, kSpecials };
inline constexpr Class kClasses[] = {Class::kNormal, Class::kWide, Class::kTies, Class::kSubnormals,
                                     Class::kSpecials};

// Makes the tensors of a section, each from the next tensor number (rule N10).
class Source {
 public:
  explicit Source(uint32_t first) : number_(first) {}

  template <typename Storage>
  Tensor Make(Class inputs, std::vector<int64_t> shape, int exponent = 7) {
    return Floats(inputs, kDtypeOf<Storage>, std::move(shape), exponent);
  }
  Tensor Floats(Class inputs, Dtype dtype, std::vector<int64_t> shape, int exponent = 7);
  // Integers in [0, below).
  Tensor Indices(std::vector<int64_t> shape, int64_t below);

 private:
  uint32_t number_;
};

// Exactly these.
Tensor Integers(const std::vector<int64_t>& values);

// The elementary functions, the power, the chain, the lanes and narrowing.
void RunArithmetic(Output& out);

#define OP(word, Function)    \
  template <typename Storage> \
  void Run_##word(Output& out, int threads);
#define OP_F32(word, Function) void Run_##word(Output& out, int threads);
#define CHAIN(word, parts)
#include "reference/ops.def"
#undef OP
#undef OP_F32
#undef CHAIN

}  // namespace touchstone::bits

// A function of a row OP is a template defined in a source: this makes it for both recipes.
#define TOUCHSTONE_BITS_OF(word)                              \
  template void Run_##word<float>(Output & out, int threads); \
  template void Run_##word<Bf16>(Output & out, int threads)
