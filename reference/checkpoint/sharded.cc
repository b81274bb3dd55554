#include "reference/checkpoint/sharded.h"

#include <algorithm>
#include <filesystem>
#include <optional>
#include <string_view>
#include <system_error>
#include <utility>
#include <variant>

#include "reference/checkpoint/bad_checkpoint.h"
#include "reference/checkpoint/mapped_file.h"
#include "reference/checkpoint/two_level_json.h"

namespace touchstone::checkpoint {
namespace {

constexpr std::string_view kTextModel = "language_model.";

std::string InFolder(const std::string& folder, const std::string& file) {
  return (std::filesystem::path(folder) / file).string();
}

// Whatever is there, so that a folder of the name is refused and not overlooked.
bool IsThere(const std::string& path) {
  std::error_code error;
  return std::filesystem::exists(std::filesystem::symlink_status(path, error));
}

bool IsPlainFileName(std::string_view name) {
  const auto is_plain = [](char c) { return c >= 0x20 && c < 0x7f && c != '/' && c != '\\'; };
  return !name.empty() && name != "." && name.find("..") == std::string_view::npos &&
         std::all_of(name.begin(), name.end(), is_plain);
}

class IndexReader : public TwoLevelJson {
 public:
  explicit IndexReader(const std::string& path) : path_(path) {}

  void Member(const std::string& outer, const std::string& inner, JsonValue value) override {
    if (outer == "weight_map") {
      const auto* const shard = std::get_if<std::string>(&value);
      if (shard == nullptr || !IsPlainFileName(*shard)) {
        Fail(Quoted(inner) + " is in " + Describe(value) + ", expected the plain name of a file");
      }
      index_.shards[*shard].push_back(inner);
    } else if (outer == "metadata") {
      if (inner != "total_size") return;  // notes of whoever wrote the file
      const auto* const number = std::get_if<uint64_t>(&value);
      if (number == nullptr) {
        Fail("total_size is " + Describe(value) + ", expected an unsigned integer");
      }
      index_.total_bytes = *number;
    } else {
      FailOuter(outer);
    }
  }
  void End(const std::string& outer) override {
    if (outer != "weight_map" && outer != "metadata") FailOuter(outer);
  }

  ShardIndex Take() { return std::move(index_); }

 private:
  [[noreturn]] void Fail(const std::string& what) const {
    throw BadCheckpoint(path_ + ": " + what);
  }
  [[noreturn]] void FailOuter(const std::string& outer) const {
    Fail("the key " + Quoted(outer) + ", expected metadata and weight_map alone");
  }

  const std::string& path_;
  ShardIndex index_;
};

// Where there is none of the files that are read: what is there in their place.
std::string UnreadWeights(const std::string& folder) {
  std::error_code error;
  std::string first;
  for (const auto& entry : std::filesystem::directory_iterator(folder, error)) {
    const std::string extension = entry.path().extension();
    const std::string name = entry.path().filename();
    if (extension != ".pth" && extension != ".pt" && extension != ".bin") continue;
    if (first.empty() || name < first) first = name;
  }
  if (first.empty()) return "";
  return " (" + Quoted(first) +
         " and its like are pickles, which are programs and are not read: write their tensors, "
         "joined where they are split, under their own names to model.safetensors)";
}

}  // namespace

ShardIndex ParseShardIndex(std::string_view json, const std::string& file) {
  IndexReader reader(file);
  reader.Read(file, json);
  ShardIndex index = reader.Take();
  if (index.shards.empty()) {
    throw BadCheckpoint(file + ": no tensor in weight_map, expected at least one");
  }
  return index;
}

Checkpoint::Checkpoint(const std::string& folder) : folder_(folder) {
  const std::string single = InFolder(folder, "model.safetensors");
  const std::string index = InFolder(folder, "model.safetensors.index.json");
  const bool is_single = IsThere(single);
  const bool is_sharded = IsThere(index);
  if (is_single == is_sharded) {
    throw BadCheckpoint(folder + ": " + (is_single ? "both" : "neither") + " model.safetensors " +
                        (is_single ? "and" : "nor") +
                        " model.safetensors.index.json, expected one of them" +
                        (is_single ? "" : UnreadWeights(folder)));
  }
  if (is_single) {
    Add(Open(single));
  } else {
    ReadSharded(index);
  }
}

void Checkpoint::ReadSharded(const std::string& index_path) {
  const auto fail = [&](const std::string& what) { throw BadCheckpoint(index_path + ": " + what); };
  ShardIndex index;
  {
    const MappedFile file(index_path);
    if (file.bytes().size() > kMaxJsonBytes) {
      fail(std::to_string(file.bytes().size()) + " bytes, expected at most " +
           std::to_string(kMaxJsonBytes));
    }
    index = ParseShardIndex(
        {reinterpret_cast<const char*>(file.bytes().data()), file.bytes().size()}, index_path);
  }
  uint64_t total_bytes = 0;
  for (const auto& [shard_name, tensors] : index.shards) {
    const SafetensorsFile& shard = Open(InFolder(folder_, shard_name));
    for (const std::string& name : tensors) {
      if (shard.entries().count(name) == 0) {
        fail(Quoted(name) + " is not in " + shard_name + ", expected there by weight_map");
      }
    }
    // Neither list has duplicates and all of the index's are in the file: unequal lengths are
    // tensors that the index does not name.
    if (shard.entries().size() != tensors.size()) {
      fail(shard_name + " holds " + std::to_string(shard.entries().size()) +
           " tensors, expected the " + std::to_string(tensors.size()) +
           " that weight_map places there");
    }
    for (const auto& [name, entry] : shard.entries()) total_bytes += entry.bytes;
    Add(shard);
  }
  if (index.total_bytes && *index.total_bytes != total_bytes) {
    fail("total_size is " + std::to_string(*index.total_bytes) + ", expected " +
         std::to_string(total_bytes) + ", the bytes of all tensors");
  }
}

const SafetensorsFile& Checkpoint::Open(const std::string& shard_path) {
  return shards_.try_emplace(shard_path, shard_path).first->second;
}

void Checkpoint::Add(const SafetensorsFile& shard) {
  for (const auto& [name, entry] : shard.entries()) {
    const bool is_prefixed = name.compare(0, kTextModel.size(), kTextModel) == 0;
    std::string key = is_prefixed ? name.substr(kTextModel.size()) : name;
    const auto [place, is_new] = tensors_.try_emplace(
        std::move(key), Stored{shard.path(), name, entry.dtype, entry.shape, entry.bytes});
    if (!is_new) {
      throw BadCheckpoint(shard.path() + ": " + Quoted(name) + " is the same tensor as " +
                          Quoted(place->second.name) + " of " + place->second.shard +
                          ", expected one of them");
    }
  }
}

std::vector<std::string> Checkpoint::names() const {
  std::vector<std::string> names;
  names.reserve(tensors_.size());
  for (const auto& [name, tensor] : tensors_) names.push_back(name);
  return names;
}

const Stored& Checkpoint::Find(const std::string& name) const {
  const auto found = tensors_.find(name);
  if (found == tensors_.end()) {
    throw BadCheckpoint(folder_ + ": " + Quoted(name) + ": no such tensor in the checkpoint");
  }
  return found->second;
}

Tensor Checkpoint::Read(const std::string& name, std::optional<Dtype> storage) const {
  const Stored& tensor = Find(name);
  return shards_.at(tensor.shard).Read(tensor.name, storage);
}

Tensor Checkpoint::ReadRows(const std::string& name, int64_t first, int64_t count,
                            std::optional<Dtype> storage) const {
  const Stored& tensor = Find(name);
  return shards_.at(tensor.shard).ReadRows(tensor.name, first, count, storage);
}

}  // namespace touchstone::checkpoint
