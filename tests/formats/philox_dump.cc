// philox_dump DTYPE PATH SEED EXPONENT FIRST COUNT: the elements FIRST .. FIRST + COUNT - 1 of a
// generated tensor (rule N10), as bytes on standard output. DTYPE is f32 or bf16.
// philox_numpy_test.py compares them with what the documentation's numpy makes.
#include <openssl/sha.h>

#include <bit>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <stdexcept>
#include <string>

#include "reference/formats/bf16.h"
#include "reference/formats/philox.h"

namespace touchstone {
namespace {

static_assert(std::endian::native == std::endian::little);

template <typename Number>
Number Parse(const std::string& text) {
  Number number{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || end != text.data() + text.size()) {
    throw std::invalid_argument("'" + text + "' is no number, or out of range");
  }
  return number;
}

uint32_t TensorNumber(const std::string& path) {
  unsigned char digest[SHA256_DIGEST_LENGTH];
  SHA256(reinterpret_cast<const unsigned char*>(path.data()), path.size(), digest);
  uint32_t number = 0;
  for (int byte = 3; byte >= 0; --byte) number = number << 8 | digest[byte];
  return number;
}

template <typename Storage>
void Write(Storage value) {
  if (std::fwrite(&value, sizeof value, 1, stdout) != 1) throw std::runtime_error("cannot write");
}

void Dump(char** arguments) {
  const std::string dtype = arguments[1];
  const uint32_t tensor = TensorNumber(arguments[2]);
  const uint64_t seed = Parse<uint64_t>(arguments[3]);
  const int exponent = Parse<int>(arguments[4]);
  const uint64_t first = Parse<uint64_t>(arguments[5]);
  const uint64_t count = Parse<uint64_t>(arguments[6]);
  if (dtype != "f32" && dtype != "bf16") {
    throw std::invalid_argument("dtype " + dtype + ", expected f32 or bf16");
  }

  for (uint64_t i = first; i < first + count; ++i) {
    const uint32_t w = PhiloxWord(seed, tensor, i);
    if (dtype == "f32") {
      Write(std::ldexp(static_cast<float>(PhiloxF32Integer(w)), -exponent));
    } else {
      Write(NarrowToBf16(std::ldexp(static_cast<float>(PhiloxBf16Integer(w)), -exponent)).bits);
    }
  }
}

}  // namespace
}  // namespace touchstone

int main(int count, char** arguments) {
  if (count != 7) {
    std::fprintf(stderr, "usage: philox_dump f32|bf16 PATH SEED EXPONENT FIRST COUNT\n");
    return 2;
  }
  try {
    touchstone::Dump(arguments);
    return std::fflush(stdout) == 0 ? 0 : 1;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "philox_dump: %s\n", error.what());
    return 2;
  }
}
