// Tensors in HDF5 files: golden files, traces, recordings of other implementations.
//
//   path          one dataset a tensor, groups between: bf16/normal/C80_T3/y; no leading slash
//   f32           IEEE binary32, little endian
//   i64           64-bit integer, little endian
//   bf16          unsigned 16-bit integer, little endian, and e4m3, e5m2, e8m0, int4 unsigned
//                 8-bit: native half-width types decode wrongly in today's libraries
//   dtype         attribute of every dataset, a string as reference/formats/dtype.h spells it
//   contract      attribute of the root, i64: the version of the contract (contract_version.h)
//
// The writer makes the same bytes wherever it runs: library version bounds (V18, V18), no time
// stamps, contiguous, uncompressed, fixed-length strings, canonical NaNs (rule N8).
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "golden/bad_file.h"
#include "reference/formats/tensor.h"

namespace touchstone::golden {

// "1.10.8", of the HDF5 library that runs.
std::string LibraryVersion();

// Writes one file. It appears at its name, whole, in Close(); before that, and where Close() is
// never reached, even because the process is killed, what was at the name stays. Objects and
// attributes lie in the file in the order of the calls, so the same calls make the same bytes.
//
// Paths and names are printable ASCII without spaces. A malformed one, a tensor that does not fit
// its shape and a call after Close() throw ContractViolation. What the disk or the HDF5 library
// refuses (a path written twice, say) throws std::runtime_error, and then the file can no longer be
// closed.
class Writer {
 public:
  explicit Writer(const std::string& file);
  ~Writer();

  // Rank 8 at most; rank 0 is one element; extents of 0 are fine.
  void Write(const std::string& path, const Tensor& tensor);

  // The same in pieces: Create makes the tensor, WriteRows fills it, in any order, and the file is
  // the one that Write would have made in place of Create. Where `rows` is (n, ...), its extents
  // after the first are the last extents of the tensor, and the axes before these count the rows,
  // the last of them fastest: of a tensor (B, T, C), rows (n, C) go to tokens `first` to
  // first + n - 1 of the B T tokens. Every element is written exactly once: a second time, or
  // Close() before all are there, throws ContractViolation.
  void Create(const std::string& path, Dtype dtype, const std::vector<int64_t>& shape);
  void WriteRows(const std::string& path, int64_t first, const Tensor& rows);

  // Attributes of a tensor or of a group, which is made where it is missing; "" is the root. The
  // text has no NUL byte.
  void WriteText(const std::string& path, const std::string& name, const std::string& value);
  void WriteNumber(const std::string& path, const std::string& name, double value);

  void Close();

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

// What a tensor is, without its elements.
struct TensorLayout {
  Dtype dtype = Dtype::kF32;
  std::vector<int64_t> shape;
};

// Reads one file, from whatever source. It throws BadFile and nothing else for what is wrong in it.
//   The file: see golden/superblock.h.
//   Its tree: groups and datasets only, 32 levels at most, reached by hard links, each by one path;
//   a soft or external link is refused, never followed. Checked by the constructor.
//   A tensor: a contiguous or compact dataset without filters or external storage, of rank 8 at
//   most, all of whose bytes are there, with the attribute `dtype` and the type that belongs to it.
//   Checked by Read, before anything of the tensor's size is allocated.
// The HDF5 library underneath has known faults on files whose metadata were forged; what it decodes
// before these checks is beyond them.
class Reader {
 public:
  explicit Reader(const std::string& file);
  ~Reader();

  std::vector<std::string> Paths() const;   // of all datasets, sorted
  std::vector<std::string> Groups() const;  // sorted; the root, "", is the first

  // NaNs come back canonical, whatever was stored.
  Tensor Read(const std::string& path) const;
  TensorLayout Layout(const std::string& path) const;
  // Rows first to first + count - 1, where the first `leading` axes count the rows, the last of
  // these axes fastest: (count, the other extents). Only they are read. Throws ContractViolation
  // where there are no such axes or rows.
  Tensor ReadRows(const std::string& path, int leading, int64_t first, int64_t count) const;

  // Attributes of a dataset or a group; "" is the root. Nothing where there is no such attribute;
  // BadFile where it is something else: a text is one string of fixed or variable length, a number
  // one integer or IEEE float that binary64 holds exactly.
  std::vector<std::string> Attributes(const std::string& path) const;  // sorted
  bool IsText(const std::string& path, const std::string& name) const;
  std::optional<std::string> Text(const std::string& path, const std::string& name) const;
  std::optional<double> Number(const std::string& path, const std::string& name) const;

  // The version of the contract that the file was made under. Recordings of other implementations
  // have none: BadFile.
  int ContractVersion() const;
  // BadFile, naming both, unless that version is kContractVersion.
  void RequireContractVersion() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace touchstone::golden
