#include "golden/pending_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <stdexcept>
#include <utility>

namespace touchstone::golden {
namespace {

[[noreturn]] void Fail(const char* what, const std::string& file, int error) {
  throw std::runtime_error(fmt::format("cannot {} {}: {}", what, file, std::strerror(error)));
}

// Names of unfinished files, for a signal's handler, which may do no more than read them. A name is
// never freed while it can be seen.
constexpr size_t kMostUnfinished = 16;
std::array<std::atomic<const char*>, kMostUnfinished> unfinished{};

void Remember(const std::string& file) {
  for (auto& slot : unfinished) {
    const char* empty = nullptr;
    if (slot.compare_exchange_strong(empty, file.c_str())) return;
  }
}
void Forget(const std::string& file) {
  for (auto& slot : unfinished) {
    const char* mine = file.c_str();
    if (slot.compare_exchange_strong(mine, nullptr)) return;
  }
}

extern "C" void RemoveAndEnd(int signal) {
  for (auto& slot : unfinished) {
    const char* file = slot.exchange(nullptr);
    if (file != nullptr) unlink(file);
  }
  std::signal(signal, SIG_DFL);
  std::raise(signal);
}

}  // namespace

void RemoveUnfinishedFilesOnSignals() {
  for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGXFSZ}) std::signal(signal, RemoveAndEnd);
}

PendingFile::PendingFile(std::string target) : target_(std::move(target)) {
  // A rename would put a file in the place of a device, a pipe or a link.
  std::error_code ignored;
  const auto there = std::filesystem::symlink_status(target_, ignored);
  if (std::filesystem::exists(there) && !std::filesystem::is_regular_file(there)) {
    throw std::runtime_error(fmt::format("cannot replace {}: it is no regular file", target_));
  }
  static std::atomic<unsigned> number{0};
  // A name is free unless an earlier process of the same id was killed here.
  int descriptor = -1;
  do {
    temporary_ = fmt::format("{}.unfinished-{}-{}", target_, getpid(), number++);
    descriptor = open(temporary_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  } while (descriptor < 0 && errno == EEXIST);
  if (descriptor < 0) Fail("create", temporary_, errno);
  close(descriptor);
  Remember(temporary_);
}

PendingFile::~PendingFile() {
  if (!committed_) unlink(temporary_.c_str());
  Forget(temporary_);
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
