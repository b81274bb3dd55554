// Generated tensors (rule N10): Philox4x32-10 and the two integer distributions.
//
//   counter = (block lo, block hi, tensor, 0), block = i / 4, word = i % 4
//   key     = (seed lo, seed hi)
//   tensor  = the first four bytes, little endian, of the SHA-256 of the tensor's path; the caller
//             supplies it, since this folder needs the standard library only
//
//   bf16 value = n * 2^-E, n = sum of the four fields (w >> 0, 8, 16, 24) & 127, minus 254
//   f32 value  = n * 2^-E, n = (w & 0xffff) + (w >> 16) - 65535
//
// Both values are exact in their format where 2^-E is a normal number of it or its smallest
// subnormal. Source: Salmon, Moraes, Dror and Shaw, "Parallel random
// numbers: as easy as 1, 2, 3", SC 2011; the test holds its published known answers.
#pragma once

#include <array>
#include <cstdint>

namespace touchstone {

// [doc: philox]
constexpr std::array<uint32_t, 4> Philox4x32(std::array<uint32_t, 4> counter,
                                             std::array<uint32_t, 2> key) {
  for (int round = 0; round < 10; ++round) {
    const uint64_t product0 = uint64_t{0xD2511F53} * counter[0];
    const uint64_t product1 = uint64_t{0xCD9E8D57} * counter[2];
    counter = {static_cast<uint32_t>(product1 >> 32) ^ counter[1] ^ key[0],
               static_cast<uint32_t>(product1),
               static_cast<uint32_t>(product0 >> 32) ^ counter[3] ^ key[1],
               static_cast<uint32_t>(product0)};
    key = {key[0] + 0x9E3779B9, key[1] + 0xBB67AE85};
  }
  return counter;
}

// Word i of a tensor.
constexpr uint32_t PhiloxWord(uint64_t seed, uint32_t tensor, uint64_t i) {
  const uint64_t block = i / 4;
  const std::array<uint32_t, 4> words =
      Philox4x32({static_cast<uint32_t>(block), static_cast<uint32_t>(block >> 32), tensor, 0},
                 {static_cast<uint32_t>(seed), static_cast<uint32_t>(seed >> 32)});
  return words[i % 4];
}

// The integer n of each distribution; the value is n * 2^-E.
constexpr int32_t PhiloxBf16Integer(uint32_t w) {
  return static_cast<int32_t>((w & 127) + (w >> 8 & 127) + (w >> 16 & 127) + (w >> 24 & 127)) - 254;
}
constexpr int32_t PhiloxF32Integer(uint32_t w) {
  return static_cast<int32_t>((w & 0xffff) + (w >> 16)) - 65535;
}
// [doc: end philox]

}  // namespace touchstone
