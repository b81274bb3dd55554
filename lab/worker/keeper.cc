#include "lab/worker/keeper.h"

#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cstdio>
#include <cstdlib>

#include <cstring>

#include "lab/worker/protocol.h"

namespace touchstone::lab {
namespace {

void Wake(int) {}

// The last bytes of what was printed.
class Output {
 public:
  explicit Output(int fd) : fd_(fd) {}
  int fd() const { return fd_; }

  // Reads what is there; at most a pipe's worth, for a kernel can print faster than this reads.
  void Drain() {
    char buffer[4096];
    for (int i = 0; i < 32 && fd_ >= 0; ++i) {
      const ssize_t n = read(fd_, buffer, sizeof buffer);
      if (n > 0) {
        Append(buffer, static_cast<size_t>(n));
      } else {
        if (n == 0) fd_ = -1;  // nobody has it open
        return;
      }
    }
  }

  void Fill(KeeperReport* report) const {
    report->output_bytes = static_cast<uint32_t>(bytes_);
    std::memcpy(report->output, end_, bytes_);
  }

 private:
  void Append(const char* text, size_t n) {
    if (n > sizeof end_) {
      text += n - sizeof end_;
      n = sizeof end_;
    }
    const size_t kept = bytes_ + n > sizeof end_ ? sizeof end_ - n : bytes_;
    std::memmove(end_, end_ + bytes_ - kept, kept);
    std::memcpy(end_ + kept, text, n);
    bytes_ = kept + n;
  }

  int fd_;
  size_t bytes_ = 0;
  char end_[sizeof KeeperReport::output] = {};
};

// Kills every child of this process, whatever group or session it has moved to.
void KillChildren() {
  DIR* processes = opendir("/proc");
  if (processes == nullptr) return;
  while (const dirent* entry = readdir(processes)) {
    const pid_t pid = static_cast<pid_t>(std::strtol(entry->d_name, nullptr, 10));
    if (pid <= 0) continue;
    char path[64], line[512] = {};
    std::snprintf(path, sizeof path, "/proc/%d/stat", static_cast<int>(pid));
    FILE* file = std::fopen(path, "r");
    if (file == nullptr) continue;
    const size_t n = std::fread(line, 1, sizeof line - 1, file);
    std::fclose(file);
    line[n] = '\0';
    // "pid (name) state parent": the name may hold anything, so its last bracket counts.
    const char* rest = std::strrchr(line, ')');
    char state = 0;
    int parent = 0;
    if (rest == nullptr || std::sscanf(rest + 1, " %c %d", &state, &parent) != 2) continue;
    if (parent == getpid() && state != 'Z') kill(pid, SIGKILL);
  }
  closedir(processes);
}

// Waits for children that have ended; true where none is left. Notes how the worker ended.
bool Reap(pid_t worker, bool* has_ended, int* worker_status) {
  for (;;) {
    int status = 0;
    const pid_t pid = waitpid(-1, &status, WNOHANG);
    if (pid == worker) {
      *has_ended = true;
      *worker_status = status;
    }
    if (pid == 0) return false;
    if (pid < 0 && errno != EINTR) return true;
  }
}

// Kills until no child is left. The children of one that dies become ours, so it takes as many
// rounds as they are deep.
void KillAll(pid_t worker, bool* has_ended, int* status) {
  if (!*has_ended) kill(worker, SIGKILL);
  kill(-worker, SIGKILL);
  for (int round = 0; round < 2000; ++round) {
    if (Reap(worker, has_ended, status)) return;
    if (round > 0) KillChildren();
    usleep(round < 20 ? 100 : 1000);
  }
}

void Send(int control, const KeeperReport& report) {
  send(control, &report, sizeof report, MSG_NOSIGNAL);
}

}  // namespace

void BecomeKeeper() {
  setsid();  // the terminal and its signals are for the lab
  prctl(PR_SET_CHILD_SUBREAPER, 1);
  sigset_t child;
  sigemptyset(&child);
  sigaddset(&child, SIGCHLD);
  sigprocmask(SIG_BLOCK, &child, nullptr);
  struct sigaction wake = {};
  wake.sa_handler = Wake;
  sigaction(SIGCHLD, &wake, nullptr);
}

void LeaveKeeper(pid_t keeper) {
  setpgid(0, 0);
  prctl(PR_SET_CHILD_SUBREAPER, 1);
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != keeper) _exit(kChannelGone);
  signal(SIGCHLD, SIG_DFL);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
}

int Keep(pid_t worker, int output_fd, int control) {
  prctl(PR_SET_DUMPABLE, 0);  // the worker may not trace it
  Output output(output_fd);
  sigset_t none;
  sigemptyset(&none);
  bool has_ended = false, ordered = false;
  int status = 0;
  while (!has_ended && !ordered) {
    pollfd ready[2] = {{control, POLLIN, 0}, {output.fd(), POLLIN, 0}};
    if (ppoll(ready, 2, nullptr, &none) < 0 && errno != EINTR) break;
    output.Drain();
    Reap(worker, &has_ended, &status);
    if (has_ended || ready[0].revents == 0) continue;
    char order = 0;
    const ssize_t n = recv(control, &order, 1, MSG_DONTWAIT);
    if (n == 1 && order == static_cast<char>(Order::kShowOutput)) {
      KeeperReport report;
      output.Fill(&report);
      Send(control, report);
    } else if (n >= 0 || errno != EAGAIN) {
      ordered = true;
    }
  }
  KillAll(worker, &has_ended, &status);
  output.Drain();
  KeeperReport report;
  report.has_ended = 1;
  report.status = status;
  output.Fill(&report);
  Send(control, report);
  return 0;
}

}  // namespace touchstone::lab
