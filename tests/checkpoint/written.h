// Checkpoints that tests write, sound and hostile.
#pragma once

#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "reference/checkpoint/bad_checkpoint.h"
#include "tests/temporary_folder.h"

namespace touchstone::checkpoint {

// N in 8 bytes, little endian.
inline std::string Length(uint64_t n) {
  std::string bytes;
  for (int i = 0; i < 8; ++i) bytes += static_cast<char>(n >> (8 * i) & 0xff);
  return bytes;
}

inline std::string FileOf(const std::string& header, const std::string& data) {
  return Length(header.size()) + header + data;
}

inline std::string TensorJson(const std::string& name, const std::string& dtype,
                              const std::string& shape, uint64_t begin, uint64_t end) {
  return "\"" + name + "\":{\"dtype\":\"" + dtype + "\",\"shape\":" + shape +
         ",\"data_offsets\":[" + std::to_string(begin) + "," + std::to_string(end) + "]}";
}

// A file of one-dimensional U8 tensors: the names, one byte each.
inline std::string FileOfBytes(const std::vector<std::string>& names) {
  std::string header;
  for (size_t i = 0; i < names.size(); ++i) {
    header += (i == 0 ? "{" : ",") + TensorJson(names[i], "U8", "[1]", i, i + 1);
  }
  return FileOf(header + "}", std::string(names.size(), 'x'));
}

// What the call has to complain about: BadCheckpoint with `text` in it, printable throughout.
template <typename Call>
void ExpectBad(const Call& call, const std::string& text) {
  try {
    call();
    ADD_FAILURE() << "accepted, expected: " << text;
  } catch (const BadCheckpoint& bad) {
    const std::string_view what = bad.what();
    EXPECT_NE(what.find(text), std::string_view::npos) << what << "\nexpected: " << text;
    for (const char c : what) EXPECT_TRUE(c >= 0x20 && c < 0x7f) << what;
  }
}

}  // namespace touchstone::checkpoint
