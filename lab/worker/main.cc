// touchstone_worker LIBRARY SYMBOL MEMORY_BYTES: the process in which a stranger's kernel runs. The
// lab starts it, with the descriptors that protocol.h names. It holds neither the lab nor the
// reference: a kernel finds no right answers in its process.
#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cstdio>
#include <cstdlib>

#include "lab/worker/keeper.h"
#include "lab/worker/protocol.h"
#include "lab/worker/serve.h"

int main(int count, char** words) {
  using namespace touchstone::lab;
  int type = 0;
  socklen_t bytes = sizeof type;
  if (count != 4 || getsockopt(kChannelFd, SOL_SOCKET, SO_TYPE, &type, &bytes) != 0) {
    std::fprintf(stderr, "touchstone_worker: this is a part of touchstone, which starts it\n");
    return 2;
  }
  close_range(kControlFd + 1, ~0u, 0);
  int output[2];
  if (pipe2(output, O_CLOEXEC) != 0) return kChannelGone;
  fcntl(output[0], F_SETFL, O_NONBLOCK);

  BecomeKeeper();
  const pid_t keeper = getpid();
  const pid_t worker = fork();
  if (worker < 0) return kChannelGone;
  if (worker == 0) {
    dup2(output[1], STDOUT_FILENO);
    dup2(output[1], STDERR_FILENO);
    close(output[0]);
    close(output[1]);
    LeaveKeeper(keeper);
    Serve({words[1], words[2], std::strtoll(words[3], nullptr, 10)});
  }
  close(kChannelFd);
  close(kArenaFd);
  close(output[1]);
  return Keep(worker, output[0], kControlFd);
}
