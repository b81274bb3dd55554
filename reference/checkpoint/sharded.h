// A model's checkpoint as it is published: a folder with model.safetensors, or with
// model.safetensors.index.json and the shards that it names,
//   {"metadata": {"total_size": bytes of all tensors}, "weight_map": {tensor: shard}}
//
// A folder is refused unless it has exactly one of the two, every file in it that is read keeps the
// rules of safetensors.h, and of an index, which keeps rules 2 and 3 of the header's JSON,
//   1. a shard is the plain name of a file: printable ASCII, no / and no \, no ..;
//   2. every tensor of weight_map is in its shard;
//   3. no shard holds a tensor that weight_map does not place there;
//   4. total_size, where it is present, is the number of bytes of all tensors.
// In checkpoints that have a vision tower the text model's names begin with language_model. : a
// tensor is found under its name without that, and two of one name are refused. All other names
// stay as they are.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "reference/checkpoint/safetensors.h"
#include "reference/formats/tensor.h"

namespace touchstone::checkpoint {

// The index, by the rules that it can be judged by alone.
struct ShardIndex {
  std::map<std::string, std::vector<std::string>> shards;  // the tensors of each
  std::optional<uint64_t> total_bytes;
};

// `file` is for the messages of BadCheckpoint.
ShardIndex ParseShardIndex(std::string_view json, const std::string& file);

// A tensor, from its shard's header.
struct Stored {
  std::string shard;  // the file's path
  std::string name;   // in the shard
  std::string dtype;
  std::vector<int64_t> shape;
  size_t bytes = 0;
};

// All shards stay open: their headers are judged once, and a file that is replaced meanwhile does
// not matter. They take address space, not memory.
class Checkpoint {
 public:
  // Reads and judges the headers of all shards. Throws BadCheckpoint.
  explicit Checkpoint(const std::string& folder);

  const std::string& folder() const { return folder_; }
  const std::map<std::string, Stored, std::less<>>& tensors() const { return tensors_; }
  std::vector<std::string> names() const;  // sorted, without language_model.
  bool Has(const std::string& name) const { return tensors_.count(name) != 0; }
  // Throws BadCheckpoint where there is none of this name.
  const Stored& Find(const std::string& name) const;

  // As those of SafetensorsFile.
  Tensor Read(const std::string& name, std::optional<Dtype> storage = {}) const;
  Tensor ReadRows(const std::string& name, int64_t first, int64_t count,
                  std::optional<Dtype> storage = {}) const;

 private:
  void ReadSharded(const std::string& index_path);
  const SafetensorsFile& Open(const std::string& shard_path);
  void Add(const SafetensorsFile& shard);

  std::string folder_;
  std::map<std::string, SafetensorsFile> shards_;  // by path
  std::map<std::string, Stored, std::less<>> tensors_;
};

}  // namespace touchstone::checkpoint
