#include "golden/superblock.h"

#include <fmt/format.h>

#include <array>
#include <cstddef>
#include <filesystem>
#include <fstream>
#include <string_view>
#include <system_error>

#include "golden/bad_file.h"

namespace touchstone::golden {
namespace {

constexpr std::string_view kSignature = "\x89HDF\r\n\x1a\n";
constexpr uint64_t kUndefined = ~uint64_t{0};

// Where a superblock of a version has its fields, in bytes from the file's start.
struct Fields {
  size_t address_bytes, length_bytes;
  size_t base, end_of_file;
  size_t extension_or_driver;  // the extension's address in versions 2 and 3, else the driver's
  size_t size;
};
constexpr Fields kVersion0{13, 14, 24, 40, 48, 96};
constexpr Fields kVersion1{13, 14, 28, 44, 52, 100};
constexpr Fields kVersion2{9, 10, 12, 28, 20, 48};
constexpr std::array<Fields, 4> kVersions{kVersion0, kVersion1, kVersion2, kVersion2};

using Head = std::array<char, 100>;

uint64_t Number(const Head& head, size_t at, size_t bytes) {
  uint64_t number = 0;
  for (size_t i = bytes; i-- > 0;) {
    number = number << 8 | static_cast<unsigned char>(head[at + i]);
  }
  return number;
}

}  // namespace

int64_t CheckSuperblock(const std::string& file) {
  const auto expect = [&](bool holds, const std::string& found, const std::string& expected) {
    if (!holds) throw BadFile(fmt::format("{}: found {}, expected {}", file, found, expected));
  };
  std::error_code error;
  const std::filesystem::file_status status = std::filesystem::status(file, error);
  expect(std::filesystem::exists(status), "no such file", "an HDF5 file");
  expect(std::filesystem::is_regular_file(status), "something that is not a regular file",
         "an HDF5 file");
  const uintmax_t size = std::filesystem::file_size(file, error);
  std::ifstream stream(file, std::ios::binary);
  expect(stream && !error, "a file that cannot be opened", "a readable HDF5 file");
  Head head{};
  stream.read(head.data(), head.size());
  const size_t length = static_cast<size_t>(stream.gcount());

  const std::string_view start(head.data(), kSignature.size());
  expect(length > kSignature.size() && start == kSignature,
         length == 0 ? "an empty file" : "the first bytes " + Quoted(start),
         "the HDF5 signature " + Quoted(kSignature));
  const uint64_t version = Number(head, kSignature.size(), 1);
  expect(version < kVersions.size(), fmt::format("superblock version {}", version), "0 to 3");
  const Fields& at = kVersions[version];
  expect(length >= at.size, fmt::format("{} bytes", size),
         fmt::format("at least a superblock of {}", at.size));
  const uint64_t address_bytes = Number(head, at.address_bytes, 1);
  const uint64_t length_bytes = Number(head, at.length_bytes, 1);
  expect(address_bytes == 8 && length_bytes == 8,
         fmt::format("addresses of {} and lengths of {} bytes", address_bytes, length_bytes),
         "8 and 8");
  const uint64_t base = Number(head, at.base, 8);
  expect(base == 0, fmt::format("base address {}", base), "0");
  const uint64_t end = Number(head, at.end_of_file, 8);
  expect(end == size, fmt::format("{} bytes", size),
         fmt::format("the {} that its superblock says", end));
  expect(Number(head, at.extension_or_driver, 8) == kUndefined,
         version < 2 ? "a file driver" : "a superblock extension", "none");
  return static_cast<int64_t>(size);
}

}  // namespace touchstone::golden
