#include "reference/checkpoint/mapped_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

#include "reference/checkpoint/bad_checkpoint.h"

namespace touchstone::checkpoint {
namespace {

[[noreturn]] void Fail(const std::string& path, const char* what) {
  throw BadCheckpoint(path + ": " + what + ": " + std::generic_category().message(errno));
}

class Descriptor {
 public:
  // Without O_NONBLOCK, opening a named pipe would wait for its writer.
  explicit Descriptor(const std::string& path)
      : number_(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)) {
    if (number_ < 0) Fail(path, "cannot be opened");
  }
  ~Descriptor() { close(number_); }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;

  int number() const { return number_; }

 private:
  int number_;
};

}  // namespace

MappedFile::MappedFile(const std::string& path) {
  const Descriptor file(path);
  struct stat status {};
  if (fstat(file.number(), &status) != 0) Fail(path, "its size cannot be asked");
  if (!S_ISREG(status.st_mode)) throw BadCheckpoint(path + ": not a file, expected a regular file");
  size_ = static_cast<size_t>(status.st_size);
  if (size_ == 0) return;  // which mmap refuses
  void* const address = mmap(nullptr, size_, PROT_READ, MAP_PRIVATE, file.number(), 0);
  if (address == MAP_FAILED) Fail(path, "cannot be mapped");
  data_ = static_cast<const std::byte*>(address);
}

MappedFile::~MappedFile() {
  if (data_ != nullptr) munmap(const_cast<std::byte*>(data_), size_);
}

void MappedFile::Drop() const {
  // What it returns is of no interest: pages that stay are memory, not a wrong byte.
  if (data_ != nullptr) madvise(const_cast<std::byte*>(data_), size_, MADV_DONTNEED);
}

}  // namespace touchstone::checkpoint
