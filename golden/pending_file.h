// A file that appears whole or not at all: it is made under a temporary name in the target's folder
// and renamed into place. A process that is killed leaves the target as it was.
#pragma once

#include <string>

namespace touchstone::golden {

class PendingFile {
 public:
  // Creates an empty file at temporary(). Throws std::runtime_error where that is impossible, or
  // where something else than a regular file is at the target.
  explicit PendingFile(std::string target);
  // Removes the temporary file unless Commit succeeded.
  ~PendingFile();
  PendingFile(const PendingFile&) = delete;
  PendingFile& operator=(const PendingFile&) = delete;

  const std::string& target() const { return target_; }
  const std::string& temporary() const { return temporary_; }

  // Brings what was written to the disk and renames it to the target, replacing what was there.
  // Throws std::runtime_error, and the target is as it was.
  void Commit();

 private:
  std::string target_;
  std::string temporary_;
  bool committed_ = false;
};

// From now on, a process that SIGINT, SIGTERM, SIGHUP or SIGXFSZ ends takes its unfinished files with
// it (up to 16 at a time).
void RemoveUnfinishedFilesOnSignals();

}  // namespace touchstone::golden
