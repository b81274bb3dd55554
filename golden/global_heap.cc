#include "golden/global_heap.h"

#include <fmt/format.h>

#include <cstdint>
#include <fstream>
#include <string_view>

#include "golden/bad_file.h"

namespace touchstone::golden {
namespace {

// A collection: "GCOL", version, 3 reserved bytes, its size in 8 bytes; then its objects.
constexpr std::string_view kSignature = "GCOL\x01";
constexpr size_t kCollectionHead = 16;
// An object: index (2 bytes), references (2), 4 reserved bytes, its size in 8 bytes; then its
// bytes, padded to a multiple of 8. Index 0 is the free space, the last one.
constexpr size_t kObjectHead = 16;
constexpr uint64_t kMaxBytes = uint64_t{1} << 20;

uint64_t Number(std::string_view bytes, size_t at, size_t count) {
  uint64_t number = 0;
  for (size_t i = count; i-- > 0;) {
    number = number << 8 | static_cast<unsigned char>(bytes[at + i]);
  }
  return number;
}

// What is read from there; shorter at the end of the file.
std::string BytesAt(std::ifstream* stream, uint64_t address, uint64_t count) {
  std::string bytes(count, '\0');
  stream->clear();
  stream->seekg(static_cast<std::streamoff>(address));
  stream->read(bytes.data(), static_cast<std::streamsize>(count));
  bytes.resize(static_cast<size_t>(stream->gcount()));
  return bytes;
}

}  // namespace

std::string ReadGlobalHeap(const std::string& file, const std::string& where,
                           const HeapReference& reference) {
  const auto expect = [&](bool holds, const std::string& found, const std::string& expected) {
    if (holds) return;
    throw BadFile(fmt::format("{}: {}: found {}, expected {}", file, where, found, expected));
  };
  const std::string_view fields(reinterpret_cast<const char*>(reference.data()), reference.size());
  const uint64_t length = Number(fields, 0, 4);
  const uint64_t address = Number(fields, 4, 8);
  const uint64_t index = Number(fields, 12, 4);
  if (length == 0) return "";  // refers to nothing

  std::ifstream stream(file, std::ios::binary | std::ios::ate);
  const auto file_bytes = static_cast<uint64_t>(stream ? std::streamoff{stream.tellg()} : 0);
  expect(address < file_bytes, fmt::format("a string at address {}", address),
         fmt::format("one within the file's {} bytes", file_bytes));
  const std::string head = BytesAt(&stream, address, kCollectionHead);
  expect(head.size() == kCollectionHead && head.starts_with(kSignature),
         fmt::format("no heap at address {}", address), "the heap of a string");
  const uint64_t size = Number(head, 8, 8);
  const std::string found = fmt::format("a heap of {} bytes at address {}", size, address);
  expect(kCollectionHead <= size && size <= kMaxBytes, found,
         fmt::format("{} to {}", kCollectionHead, kMaxBytes));
  const std::string heap = BytesAt(&stream, address, size);
  expect(heap.size() == size, found, "one that lies in the file");

  for (size_t at = kCollectionHead; heap.size() - at >= kObjectHead;) {
    const uint64_t its_index = Number(heap, at, 2);
    const uint64_t its_size = Number(heap, at + 8, 8);
    if (its_index == 0) break;
    at += kObjectHead;
    const uint64_t padded = its_size <= size ? (its_size + 7) / 8 * 8 : its_size;
    expect(padded <= heap.size() - at, fmt::format("a heap object of {} bytes", its_size),
           fmt::format("{} at most", heap.size() - at));
    if (its_index == index) {
      expect(length <= its_size, fmt::format("a string of {} bytes", length),
             fmt::format("the {} of its heap object", its_size));
      return heap.substr(at, length);
    }
    at += padded;
  }
  throw BadFile(fmt::format("{}: {}: found a string in heap object {}, expected one that is there",
                            file, where, index));
}

}  // namespace touchstone::golden
