#include "golden/pending_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <stdexcept>
#include <utility>

namespace touchstone::golden {
namespace {

[[noreturn]] void Fail(const char* what, const std::string& file, int error) {
  throw std::runtime_error(fmt::format("cannot {} {}: {}", what, file, std::strerror(error)));
}

}  // namespace

PendingFile::PendingFile(std::string target) : target_(std::move(target)) {
  static std::atomic<unsigned> number{0};
  // A name is free unless an earlier process of the same id was killed here.
  int descriptor = -1;
  do {
    temporary_ = fmt::format("{}.unfinished-{}-{}", target_, getpid(), number++);
    descriptor = open(temporary_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  } while (descriptor < 0 && errno == EEXIST);
  if (descriptor < 0) Fail("create", temporary_, errno);
  close(descriptor);
}

PendingFile::~PendingFile() {
  if (!committed_) unlink(temporary_.c_str());
}

void PendingFile::Commit() {
  // Synced before it is renamed: after a loss of power the name must not lead to an empty file.
  const int descriptor = open(temporary_.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) Fail("open", temporary_, errno);
  const int synced = fsync(descriptor);
  const int error = errno;
  close(descriptor);
  if (synced != 0) Fail("write", temporary_, error);
  if (std::rename(temporary_.c_str(), target_.c_str()) != 0) Fail("replace", target_, errno);
  committed_ = true;
}

}  // namespace touchstone::golden
