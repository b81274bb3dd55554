// Checkpoints in the safetensors format: 8 bytes with N, little endian; N bytes of JSON, the
// header; the data, row-major and little endian. The header maps the name of each tensor to
// {"dtype": text, "shape": [extents], "data_offsets": [begin, end]}, offsets from the data's start.
//
// Files come from strangers. A file is refused unless
//   1. it has 8 bytes, N is at most 100,000,000, and N more bytes follow;
//   2. the header's first byte is { and the whole header is valid UTF-8, without byte order mark;
//   3. the header is one object of objects that hold no objects, which have the three keys and no
//      others, and no key is there twice in one object;
//   4. __metadata__, where it is present, maps text to text;
//   5. every dtype is one that the format defines: nothing is skipped because it is unknown;
//   6. every shape is a list of unsigned integers below 2^63, and the product of those that are not
//      0, in bits of data, is below 2^63 too; no extents at all and extents of 0 are fine;
//   7. a tensor's data are a whole number of bytes, and end - begin is that number;
//   8. in the order of their offsets the first tensor begins at 0 and each other one where the one
//      before it ends: no holes, no bytes that two tensors share;
//   9. the last tensor ends where the file ends;
// and the reader
//  10. assumes no alignment: data are copied, never read in place as wider types;
//  11. maps the file privately and read-only, and asks for its size once. Values are not judged:
//      infinities and NaNs are kept bit by bit.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "reference/checkpoint/mapped_file.h"
#include "reference/formats/tensor.h"

namespace touchstone::checkpoint {

struct Entry {
  std::string dtype;  // as the file spells it: "BF16"
  std::vector<int64_t> shape;
  const std::byte* data = nullptr;  // in the file's memory, of any alignment
  size_t bytes = 0;
};

using Entries = std::map<std::string, Entry, std::less<>>;

// A whole file that lies in memory, by rules 1 to 9. `file` is for the messages of BadCheckpoint.
// The entries point into `bytes`.
Entries ParseSafetensors(std::span<const std::byte> bytes, const std::string& file);

class SafetensorsFile {
 public:
  // Throws BadCheckpoint unless the file keeps all rules. Reads the header only. Address space is
  // all that an open file takes beside its entries.
  explicit SafetensorsFile(const std::string& path);

  const std::string& path() const { return path_; }
  const Entries& entries() const { return entries_; }
  std::vector<std::string> names() const;  // sorted

  // A copy of a tensor, as stored or in `storage`: bf16 is widened exactly, f32 narrowed once. No
  // part of the file stays in memory. Throws BadCheckpoint where the file has no tensor of this
  // name or its dtype is neither F32 nor BF16.
  Tensor Read(const std::string& name, std::optional<Dtype> storage = {}) const;
  // The same of `count` rows from row `first` on: slices of the first axis. Throws BadCheckpoint
  // where the tensor does not have them.
  Tensor ReadRows(const std::string& name, int64_t first, int64_t count,
                  std::optional<Dtype> storage = {}) const;

 private:
  const Entry& Find(const std::string& name) const;
  Tensor Copy(const std::string& name, const Entry& entry, std::vector<int64_t> shape,
              size_t first_byte, std::optional<Dtype> storage) const;
  [[noreturn]] void Fail(const std::string& name, const std::string& what) const;

  std::string path_;
  MappedFile file_;
  Entries entries_;
};

}  // namespace touchstone::checkpoint
