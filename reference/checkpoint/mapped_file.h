// A regular file in memory, read-only.
#pragma once

#include <cstddef>
#include <span>
#include <string>

namespace touchstone::checkpoint {

// The mapping is private and the size is asked once. A file that another process cuts short while
// it is mapped ends this process with SIGBUS: that is the one way in which a file can.
class MappedFile {
 public:
  // Throws BadCheckpoint where the file is missing, not regular, or cannot be mapped.
  explicit MappedFile(const std::string& path);
  ~MappedFile();
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  std::span<const std::byte> bytes() const { return {data_, size_}; }
  // Gives back the memory of all pages that were read. They stay readable, from the file. (Of the
  // whole file, since reading a page may bring in its neighbours.)
  void Drop() const;

 private:
  const std::byte* data_ = nullptr;
  size_t size_ = 0;
};

}  // namespace touchstone::checkpoint
