// The lab's side of a worker (lab/worker/protocol.h): starts it, exchanges messages with it, and ends
// it with all that it started.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "lab/worker/protocol.h"

namespace touchstone::lab {

// Where the worker's program is: beside this one.
std::string WorkerProgram();

// An open descriptor, or none.
class Descriptor {
 public:
  Descriptor() = default;
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() { Close(); }
  Descriptor(Descriptor&& other) noexcept : fd_(other.fd_) { other.fd_ = -1; }
  Descriptor& operator=(Descriptor&& other) noexcept;
  void Close();
  int get() const { return fd_; }

 private:
  int fd_ = -1;
};

class WorkerProcess {
 public:
  using Clock = std::chrono::steady_clock;

  // Throws KernelUnavailable where `program` cannot be started.
  WorkerProcess(const std::string& program, const std::string& library, const std::string& symbol,
                int64_t memory_bytes, int arena);
  ~WorkerProcess();
  WorkerProcess(const WorkerProcess&) = delete;
  WorkerProcess& operator=(const WorkerProcess&) = delete;

  // Removes what lies in the channel before a request; true where there was anything.
  bool DrainStrays();

  enum class Event { kMessage, kEnded, kTimedOut };
  // False where the worker is not there any more.
  bool Send(const void* message, size_t bytes);
  // Waits for a message (Loaded or Reply) of the kind and sequence. Sets `strays` where others came.
  template <typename Message>
  Event Receive(MessageKind kind, uint64_t sequence, Clock::time_point deadline, Message* message,
                bool* strays);

  // Kills the worker and all that it started. Nothing is left afterwards.
  void End();
  // How it ended, as waitpid gives it, once it has; nothing where its keeper is gone too.
  std::optional<int> status() const { return status_; }
  // The end of what it printed.
  std::string Output();

 private:
  enum class Ready { kChannel, kControl, kNothing };
  Ready WaitFor(Clock::time_point deadline);
  std::optional<size_t> ReadChannel(void* to, size_t room);
  bool ReadReport(Clock::time_point deadline);  // false: the keeper is gone, or silent
  void Command(Order order);
  void Bury();

  Descriptor channel_, control_;
  bool channel_open_ = true, has_ended_ = false;
  pid_t keeper_ = -1;
  std::optional<int> status_;
  std::string output_;
};

}  // namespace touchstone::lab
