// Fuzz target: the parser of safetensors checkpoints, from memory. Whatever the bytes are, it
// returns or throws BadCheckpoint; the entries that it returns fill the data exactly, and a file
// written anew with them gives the same entries again.
#include "reference/checkpoint/safetensors.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <vector>

#include "reference/checkpoint/bad_checkpoint.h"

using touchstone::checkpoint::BadCheckpoint;
using touchstone::checkpoint::Entries;
using touchstone::checkpoint::Entry;
using touchstone::checkpoint::ParseSafetensors;

namespace {

void Require(bool holds) {
  if (!holds) std::abort();
}

// In the order of the names.
std::string WrittenAnew(const Entries& entries) {
  nlohmann::json header = nlohmann::json::object();
  std::string data;
  for (const auto& [name, entry] : entries) {
    const size_t begin = data.size();
    data.append(reinterpret_cast<const char*>(entry.data), entry.bytes);
    header[name] = {
        {"dtype", entry.dtype}, {"shape", entry.shape}, {"data_offsets", {begin, data.size()}}};
  }
  const std::string text = header.dump();
  const uint64_t length = text.size();
  std::string bytes(sizeof length, '\0');
  std::memcpy(bytes.data(), &length, sizeof length);
  return bytes + text + data;
}

// The entries cover the end of the bytes from some place on, each byte once.
void RequireFilling(const Entries& entries, std::span<const std::byte> bytes) {
  std::vector<const Entry*> order;
  for (const auto& [name, entry] : entries) order.push_back(&entry);
  const auto before = [](const Entry* a, const Entry* b) {
    return a->data != b->data ? a->data < b->data : a->bytes < b->bytes;
  };
  std::sort(order.begin(), order.end(), before);
  for (size_t i = 0; i < order.size(); ++i) {
    const std::byte* const end = order[i]->data + order[i]->bytes;
    Require(order[i]->data >= bytes.data() + 8);
    Require(end == (i + 1 < order.size() ? order[i + 1]->data : bytes.data() + bytes.size()));
  }
}

void RequireSame(const Entries& a, const Entries& b) {
  Require(a.size() == b.size());
  for (const auto& [name, entry] : a) {
    const auto found = b.find(name);
    Require(found != b.end());
    const Entry& other = found->second;
    Require(entry.dtype == other.dtype && entry.shape == other.shape);
    Require(std::equal(entry.data, entry.data + entry.bytes, other.data, other.data + other.bytes));
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::span<const std::byte> bytes(reinterpret_cast<const std::byte*>(data), size);
  Entries entries;
  try {
    entries = ParseSafetensors(bytes, "input");
  } catch (const BadCheckpoint&) {
    return 0;
  }
  RequireFilling(entries, bytes);
  const std::string again = WrittenAnew(entries);
  RequireSame(entries, ParseSafetensors(std::as_bytes(std::span(again)), "again"));
  return 0;
}
