// Fuzz target: the parser of a sharded checkpoint's index, from memory. Whatever the bytes are, it
// returns or throws BadCheckpoint; the shards that it returns are plain names of files, each with
// a tensor, and an index written anew with them gives the same again.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <string>

#include "reference/checkpoint/bad_checkpoint.h"
#include "reference/checkpoint/sharded.h"

namespace {

using touchstone::checkpoint::ParseShardIndex;
using touchstone::checkpoint::ShardIndex;

void Require(bool holds) {
  if (!holds) std::abort();
}

std::string WrittenAnew(const ShardIndex& index) {
  nlohmann::json map = nlohmann::json::object();
  for (const auto& [shard, tensors] : index.shards) {
    for (const std::string& tensor : tensors) map[tensor] = shard;
  }
  nlohmann::json json = {{"weight_map", map}};
  if (index.total_bytes) json["metadata"]["total_size"] = *index.total_bytes;
  return json.dump();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  ShardIndex index;
  try {
    index = ParseShardIndex({reinterpret_cast<const char*>(data), size}, "input");
  } catch (const touchstone::checkpoint::BadCheckpoint&) {
    return 0;
  }
  Require(!index.shards.empty());
  for (const auto& [shard, tensors] : index.shards) {
    Require(!shard.empty() && !tensors.empty());
    Require(shard.find('/') == std::string::npos && shard.find("..") == std::string::npos);
    Require(shard.find('\0') == std::string::npos);
  }
  const std::string anew = WrittenAnew(index);
  const ShardIndex again = ParseShardIndex(anew, "again");
  Require(again.total_bytes == index.total_bytes && again.shards.size() == index.shards.size());
  Require(WrittenAnew(again) == anew);
  return 0;
}
