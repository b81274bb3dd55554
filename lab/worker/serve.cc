#include "lab/worker/serve.h"

#include <cxxabi.h>
#include <errno.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cstdio>

#include <cstring>
#include <exception>
#include <string>

#include "lab/include/touchstone.h"
#include "lab/worker/cuda_device.h"
#include "lab/worker/float_state.h"
#include "lab/worker/limits.h"
#include "lab/worker/plugin.h"
#include "lab/worker/protocol.h"

namespace touchstone::lab {
namespace {

// Ended ones too, while nobody has waited for them.
bool HasChildren() {
  siginfo_t ended = {};
  return waitid(P_ALL, 0, &ended, WEXITED | WNOHANG | WNOWAIT | __WALL) == 0;
}

class Server {
 public:
  explicit Server(std::byte* arena) : arena_(arena), self_(getpid()) {}

  void Load(const ServeOptions& options) {
    kernel_ = LoadPlugin(options.library, options.symbol, &loaded_);
    if (getpid() != self_) _exit(0);  // a child of the library's constructor
    if (kernel_ != nullptr && loaded_.device == TOUCHSTONE_CUDA) {
      OpenDevice();
    } else {
      KeepMemoryLimit();
    }
    std::fflush(stdout);
    Seal(&loaded_, MessageKind::kLoaded, 0);
    Send(&loaded_, sizeof loaded_);
  }

  [[noreturn]] void Answer() {
    for (;;) {
      Receive();
      if (!is_on_device_ || request_.header.kind == MessageKind::kAskWorkspace) Describe();
      Reply reply;
      const bool asks = request_.header.kind == MessageKind::kAskWorkspace;
      if (!asks) AllowProcessorTime(request_.processor_seconds);
      ResetFloatState();
      if (asks || !is_on_device_) {
        Call(asks, &reply);
      } else {
        CallOnDevice(&reply);
      }
      // A child that the kernel forked has nothing to say.
      if (getpid() != self_) _exit(0);
      reply.left_process = HasChildren() ? 1 : 0;
      reply.float_state = ChangedFloatState();
      ResetFloatState();
      std::fflush(stdout);
      Seal(&reply, MessageKind::kReply, request_.header.sequence);
      Send(&reply, sizeof reply);
    }
  }

 private:
  void OpenDevice() {
    DropMemoryLimit();
    const std::string why = device_.Open(loaded_.needs);
    is_on_device_ = why.empty();
    if (is_on_device_) return;
    loaded_.loading = Loading::kNoDevice;
    std::strncpy(loaded_.text, why.c_str(), sizeof loaded_.text - 1);
  }

  void CallOnDevice(Reply* reply) {
    std::string complaint = device_.CopyIn(arena_, request_.arena_bytes);
    if (complaint.empty()) {
      Describe();
      Call(false, reply);
      complaint = device_.CopyOut(arena_, request_.arena_bytes, &reply->device_seconds);
    }
    if (complaint.empty()) return;
    reply->outcome = Outcome::kDeviceFailed;
    std::strncpy(reply->text, complaint.c_str(), sizeof reply->text - 1);
  }

  void Call(bool asks, Reply* reply) {
    try {
      if (asks) {
        reply->workspace_bytes = kernel_->workspace(&call_);
      } else {
        reply->returned = kernel_->run(&call_);
      }
    } catch (const abi::__forced_unwind&) {
      throw;  // pthread_exit: the thread ends, and with it what could answer
    } catch (const std::exception& error) {
      reply->outcome = Outcome::kThrew;
      std::strncpy(reply->text, error.what(), sizeof reply->text - 1);
    } catch (...) {
      reply->outcome = Outcome::kThrew;
    }
  }

  // Fills in call_ anew: the kernel may have written over it.
  void Describe() {
    const bool has_data = request_.header.kind == MessageKind::kRun;
    std::byte* const memory = is_on_device_ ? device_.data() : arena_;
    const int32_t device_type = is_on_device_ ? TOUCHSTONE_CUDA : TOUCHSTONE_CPU;
    int inputs = 0;
    for (int i = 0; i < request_.tensors_count; ++i) {
      const TensorPlace& place = request_.tensors[i];
      if (place.is_output == 0) ++inputs;
      int64_t step = 1;
      for (int d = place.axes; d-- > 0;) {
        shapes_[i][d] = place.shape[d];
        strides_[i][d] = step;
        step *= place.shape[d];
      }
      tensors_[i] = {has_data ? memory + place.offset : nullptr,
                     {device_type, 0},
                     place.axes,
                     {place.code, place.bits, 1},
                     shapes_[i],
                     strides_[i],
                     0};
    }
    for (int i = 0; i < request_.attributes_count; ++i) {
      attributes_[i] = {request_.attributes[i].name, request_.attributes[i].value};
    }
    call_ = {};
    call_.abi = TOUCHSTONE_ABI;
    call_.size = sizeof call_;
    call_.op = loaded_.op;
    call_.recipe = request_.recipe;
    call_.threads = request_.threads;
    call_.inputs_count = inputs;
    call_.outputs_count = request_.tensors_count - inputs;
    call_.attributes_count = request_.attributes_count;
    call_.inputs = tensors_;
    call_.outputs = tensors_ + inputs;
    call_.attributes = attributes_;
    call_.stream = device_.stream();
    if (has_data && request_.workspace_bytes > 0) {
      call_.workspace = memory + request_.workspace_offset;
      call_.workspace_bytes = request_.workspace_bytes;
    }
  }

  void Receive() {
    for (;;) {
      const ssize_t n = recv(kChannelFd, &request_, sizeof request_, MSG_TRUNC);
      if (n > 0 && IsSealed(request_, static_cast<size_t>(n))) return;
      if (n < 0 && (errno == EINTR || Waits(POLLIN))) continue;
      _exit(kChannelGone);
    }
  }

  void Send(const void* message, size_t bytes) const {
    for (;;) {
      if (send(kChannelFd, message, bytes, MSG_NOSIGNAL) == static_cast<ssize_t>(bytes)) return;
      if (errno != EINTR && !Waits(POLLOUT)) _exit(kChannelGone);
    }
  }

  // Where the kernel has made the channel one that does not wait.
  static bool Waits(short event) {
    if (errno != EAGAIN) return false;
    pollfd channel = {kChannelFd, event, 0};
    poll(&channel, 1, -1);
    return true;
  }

  std::byte* arena_;
  const pid_t self_;
  const touchstone_kernel* kernel_ = nullptr;
  CudaDevice device_;
  bool is_on_device_ = false;
  Loaded loaded_;
  Request request_;
  touchstone_call call_ = {};
  touchstone_tensor tensors_[kMostTensors] = {};
  touchstone_attribute attributes_[kMostAttributes] = {};
  int64_t shapes_[kMostTensors][kMostAxes] = {}, strides_[kMostTensors][kMostAxes] = {};
};

}  // namespace

void Serve(const ServeOptions& options) {
  void* arena =
      mmap(nullptr, kArenaBytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, kArenaFd, 0);
  if (arena == MAP_FAILED) _exit(kChannelGone);
  close(kArenaFd);
  close(kControlFd);
  std::setvbuf(stdout, nullptr, _IOLBF, 0);
  LimitMemory(options.memory_bytes);
  static Server server(static_cast<std::byte*>(arena));
  server.Load(options);
  server.Answer();
}

}  // namespace touchstone::lab
