// The manifest: the SHA-256 of every tensor of the golden files, so that a file can be remade and
// compared without being kept, and a changed bit shows in a text that people review.
//
//   # any comment lines, and among them exactly one like the next
//   # contract 1
//   <64 hex digits>  <dtype>  <extents like 3x80>  <file>:<path of the tensor>
//
// Two spaces between the fields; the extents of rank 0 are written `scalar`. Names are printable
// ASCII without spaces, sorted by their bytes, each once. The hash is of the elements alone as
// canonical_bytes.h encodes them; dtype and extents stand in the line and are compared as well.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "golden/bad_file.h"
#include "reference/formats/dtype.h"
#include "reference/formats/tensor.h"

namespace touchstone::golden {

struct Entry {
  std::string sha256;  // 64 lower-case hex digits
  Dtype dtype = Dtype::kF32;
  std::vector<int64_t> shape;
  friend bool operator==(const Entry&, const Entry&) = default;
};

struct Manifest {
  std::map<std::string, Entry> entries;  // by name: ops/rmsnorm.h5:bf16/normal/C80_T3/y
};

// Of the canonical bytes of the elements, in lower-case hex.
std::string Sha256(const Tensor& tensor);
Entry EntryOf(const Tensor& tensor);

// The manifest that the text holds; `file` is for messages. Throws BadFile, with the line's number,
// for any other text than FormatManifest gives but for the comments, and for another version of the
// contract.
Manifest ParseManifest(std::string_view text, const std::string& file);
// Throws ContractViolation where a name could not be read back.
std::string FormatManifest(const Manifest& manifest);

Manifest ReadManifest(const std::string& file);
// The file appears whole or stays as it was. Throws std::runtime_error where it cannot be written.
void WriteManifest(const std::string& file, const Manifest& manifest);

}  // namespace touchstone::golden
