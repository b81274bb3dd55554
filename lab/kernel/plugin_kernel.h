// A stranger's kernel: a shared library with a touchstone_kernel (lab/include/touchstone.h), run in
// a process of its own (lab/worker). Nothing that happens in there is believed but that run
// returned; tensors lie in memory that the lab fills, guards and checks (guarded_arena.h).
//
// What the kernel does and what Run says:
//   returns 0                              kDone
//   returns TOUCHSTONE_REFUSED             kRefused
//   returns another number, throws         kFailed
//   writes beside its tensors, to an       kFailed, each in `breaches`; the outputs are there all
//   input or to the lab's channel, leaves  the same where it returned 0
//   flush-to-zero, a rounding mode or
//   traps switched on, or a process behind
//   signal, abort, exit, pthread_exit,     kCrashed
//   an error of its CUDA device
//   does not return in time                kTimedOut
// After the last two, and a process left behind, the next Run starts a new process. Whatever the
// kernel started is killed with its process, in other groups and sessions too.
//
// What is not seen: a process made with CLONE_PARENT is a child of the kernel's parent, the keeper
// (keeper.h), and the kernel's process looks for its own children alone. It is not said to be left
// behind, and the next Run goes on beside it, with the arena that both have; it too is killed when
// the kernel's process ends.
//
// What is not prevented: a kernel may kill other processes of its user (the lab too), fork faster
// than it can be killed, take memory that is shared on purpose (mmap with MAP_SHARED), read and
// write the user's files, and write the bits of a guard band into it (in a run with other poison
// they are other bits: guarded_arena.h). Kernels on CUDA devices (cuda_device.h) have no limit of
// memory.
#pragma once

#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>

#include "lab/kernel/kernel.h"

namespace touchstone::lab {

struct KernelLimits {
  double seconds = 20;                      // of one run, and of loading the library
  int64_t memory_bytes = int64_t{4} << 30;  // of private memory, beyond the case's tensors
  std::string worker = {};                  // its program; empty: touchstone_worker beside ours
};

// The library ended its process, or did not come back, while it was loaded: nothing was judged.
// Exit code 5.
class KernelCrashed : public std::runtime_error {
 public:
  KernelCrashed(RunState how, const std::string& what) : std::runtime_error(what), state(how) {}
  RunState state;  // kCrashed, kTimedOut
};

class PluginKernel : public Kernel {
 public:
  // `library_and_symbol`: "./mine.so", whose kernel is named touchstone_<op>, or
  // "./mine.so:symbol". `op` must outlive this. Throws KernelUnavailable where there is no such
  // kernel for this op and machine, and KernelCrashed.
  PluginKernel(const std::string& library_and_symbol, const OpSpec& op, const KernelLimits& limits);
  ~PluginKernel() override;

  const KernelInfo& info() const override;
  // The time includes the way to the other process and back, some 10 microseconds.
  RunResult Run(const Case& c, const Tensors& inputs, const RunOptions& options) override;

 private:
  class Session;
  std::unique_ptr<Session> session_;
};

}  // namespace touchstone::lab
