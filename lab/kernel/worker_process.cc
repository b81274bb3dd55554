#include "lab/kernel/worker_process.h"

#include <errno.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <utility>

#include "lab/kernel/kernel.h"
#include "lab/shown_text.h"

namespace touchstone::lab {
namespace {

using namespace std::chrono_literals;

// How long the keeper may take over killing what a kernel started.
constexpr auto kKeeperTime = 5s;

[[noreturn]] void Fail(const std::string& what, int error) {
  throw KernelUnavailable(
      fmt::format("cannot start the process of a kernel: {}: {}", what, strerror(error)));
}

// Above those that the worker finds, so that giving it one cannot close another.
Descriptor OutOfTheWay(int fd) {
  Descriptor moved(fcntl(fd, F_DUPFD_CLOEXEC, 16));
  if (moved.get() < 0) Fail("fcntl", errno);
  return moved;
}

std::pair<Descriptor, Descriptor> SocketPair() {
  int fds[2];
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) != 0) Fail("socketpair", errno);
  const Descriptor one(fds[0]), other(fds[1]);
  return {OutOfTheWay(fds[0]), OutOfTheWay(fds[1])};
}

class SpawnSettings {
 public:
  SpawnSettings() {
    posix_spawn_file_actions_init(&actions_);
    posix_spawnattr_init(&attributes_);
    for (const int fd : {0, 1}) {
      posix_spawn_file_actions_addopen(&actions_, fd, "/dev/null", O_RDWR, 0);
    }
    posix_spawn_file_actions_adddup2(&actions_, 1, 2);
    sigset_t none, pipe;
    sigemptyset(&none);
    sigemptyset(&pipe);
    sigaddset(&pipe, SIGPIPE);
    posix_spawnattr_setsigmask(&attributes_, &none);
    posix_spawnattr_setsigdefault(&attributes_, &pipe);
    posix_spawnattr_setflags(&attributes_, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  }
  ~SpawnSettings() {
    posix_spawn_file_actions_destroy(&actions_);
    posix_spawnattr_destroy(&attributes_);
  }
  SpawnSettings(const SpawnSettings&) = delete;
  SpawnSettings& operator=(const SpawnSettings&) = delete;

  void Give(const Descriptor& descriptor, int as) {
    posix_spawn_file_actions_adddup2(&actions_, descriptor.get(), as);
  }
  int Spawn(const std::string& program, char* const* words, pid_t* pid) const {
    return posix_spawn(pid, program.c_str(), &actions_, &attributes_, words, environ);
  }

 private:
  posix_spawn_file_actions_t actions_;
  posix_spawnattr_t attributes_;
};

int MillisecondsTo(WorkerProcess::Clock::time_point deadline) {
  const auto left =
      std::chrono::ceil<std::chrono::milliseconds>(deadline - WorkerProcess::Clock::now());
  return static_cast<int>(std::clamp<int64_t>(left.count(), 0, 1 << 30));
}

}  // namespace

std::string WorkerProgram() {
  std::error_code error;
  const std::filesystem::path self = std::filesystem::read_symlink("/proc/self/exe", error);
  return (self.parent_path() / "touchstone_worker").string();
}

Descriptor& Descriptor::operator=(Descriptor&& other) noexcept {
  if (this != &other) {
    Close();
    fd_ = std::exchange(other.fd_, -1);
  }
  return *this;
}

void Descriptor::Close() {
  if (fd_ >= 0) close(fd_);
  fd_ = -1;
}

WorkerProcess::WorkerProcess(const std::string& program, const std::string& library,
                             const std::string& symbol, int64_t memory_bytes, int arena) {
  auto [channel, worker_channel] = SocketPair();
  auto [control, keeper_control] = SocketPair();
  const Descriptor arena_copy = OutOfTheWay(arena);
  SpawnSettings settings;
  settings.Give(worker_channel, kChannelFd);
  settings.Give(arena_copy, kArenaFd);
  settings.Give(keeper_control, kControlFd);
  std::string words[] = {program, library, symbol, std::to_string(memory_bytes)};
  char* pointers[] = {words[0].data(), words[1].data(), words[2].data(), words[3].data(), nullptr};
  const int error = settings.Spawn(program, pointers, &keeper_);
  if (error == ENOENT) {
    throw KernelUnavailable(
        fmt::format("cannot run kernels: there is no {} (it is built together with touchstone)",
                    TerminalText(program)));
  }
  if (error != 0) Fail(TerminalText(program), error);
  channel_ = std::move(channel);
  control_ = std::move(control);
}

WorkerProcess::~WorkerProcess() { End(); }

// The bytes of one message, which may be more than there is room for; nothing where none is there.
std::optional<size_t> WorkerProcess::ReadChannel(void* to, size_t room) {
  if (!channel_open_) return std::nullopt;
  const ssize_t n = recv(channel_.get(), to, room, MSG_DONTWAIT | MSG_TRUNC);
  if (n > 0) return static_cast<size_t>(n);
  if (n < 0 && (errno == EAGAIN || errno == EINTR)) return std::nullopt;
  // An empty message looks like the end of the channel.
  pollfd channel = {channel_.get(), POLLIN, 0};
  poll(&channel, 1, 0);
  if (n == 0 && (channel.revents & POLLHUP) == 0) return 0;
  channel_open_ = false;
  return std::nullopt;
}

bool WorkerProcess::DrainStrays() {
  char byte;
  bool any = false;
  for (int i = 0; i < 1000 && ReadChannel(&byte, 1); ++i) any = true;
  return any;
}

bool WorkerProcess::Send(const void* message, size_t bytes) {
  return !has_ended_ && send(channel_.get(), message, bytes, MSG_NOSIGNAL | MSG_DONTWAIT) ==
                            static_cast<ssize_t>(bytes);
}

WorkerProcess::Ready WorkerProcess::WaitFor(Clock::time_point deadline) {
  for (;;) {
    pollfd ready[2] = {{channel_open_ ? channel_.get() : -1, POLLIN, 0},
                       {control_.get(), POLLIN, 0}};
    const int left = MillisecondsTo(deadline);
    const int n = poll(ready, 2, left);
    if (n > 0 && ready[0].revents != 0) return Ready::kChannel;
    if (n > 0) return Ready::kControl;
    if (n == 0 && left == 0) return Ready::kNothing;
  }
}

template <typename Message>
WorkerProcess::Event WorkerProcess::Receive(MessageKind kind, uint64_t sequence,
                                            Clock::time_point deadline, Message* message,
                                            bool* strays) {
  const auto read_all = [&] {
    while (const std::optional<size_t> n = ReadChannel(message, sizeof *message)) {
      if (IsSealed(*message, *n) && message->header.kind == kind &&
          message->header.sequence == sequence) {
        return true;
      }
      *strays = true;
      if (Clock::now() >= deadline) break;
    }
    return false;
  };
  for (;;) {
    if (has_ended_) return Event::kEnded;
    const Ready ready = WaitFor(deadline);
    if (ready == Ready::kNothing) return Event::kTimedOut;
    if (ready == Ready::kControl) ReadReport(deadline);
    // What it said before it ended counts.
    if (read_all()) return Event::kMessage;
    if (Clock::now() >= deadline) return Event::kTimedOut;
  }
}

template WorkerProcess::Event WorkerProcess::Receive(MessageKind, uint64_t, Clock::time_point,
                                                     Loaded*, bool*);
template WorkerProcess::Event WorkerProcess::Receive(MessageKind, uint64_t, Clock::time_point,
                                                     Reply*, bool*);

void WorkerProcess::Command(Order order) {
  const char word = static_cast<char>(order);
  send(control_.get(), &word, 1, MSG_NOSIGNAL);
}

// The keeper has nothing left to do.
void WorkerProcess::Bury() {
  has_ended_ = true;
  kill(keeper_, SIGKILL);
  while (waitpid(keeper_, nullptr, 0) < 0 && errno == EINTR) continue;
}

bool WorkerProcess::ReadReport(Clock::time_point deadline) {
  pollfd control = {control_.get(), POLLIN, 0};
  if (poll(&control, 1, MillisecondsTo(deadline)) <= 0) return false;
  KeeperReport report;
  const ssize_t n = recv(control_.get(), &report, sizeof report, MSG_DONTWAIT);
  if (n < 0 && (errno == EAGAIN || errno == EINTR)) return false;
  if (n != static_cast<ssize_t>(sizeof report)) {
    Bury();
    return false;
  }
  output_.assign(report.output, std::min<size_t>(report.output_bytes, sizeof report.output));
  if (report.has_ended != 0) {
    status_ = report.status;
    Bury();
  }
  return true;
}

void WorkerProcess::End() {
  if (has_ended_) return;
  Command(Order::kEnd);
  const Clock::time_point deadline = Clock::now() + kKeeperTime;
  while (!has_ended_ && Clock::now() < deadline) ReadReport(deadline);
  if (!has_ended_) Bury();
}

std::string WorkerProcess::Output() {
  if (has_ended_) return output_;
  Command(Order::kShowOutput);
  ReadReport(Clock::now() + 1s);
  return output_;
}

}  // namespace touchstone::lab
