// Stage 3 of the lab, a candidate: something that computes an op's outputs from its inputs and is
// not believed. A plug-in in a process of its own (plugin_kernel.h), a file of outputs that were
// computed elsewhere (lab/files), or an implementation that is part of this program
// (built_in_kernel.h).
#pragma once

#include <map>
#include <stdexcept>
#include <string>
#include <vector>

#include "lab/spec.h"

namespace touchstone::lab {

// The device of a CUDA kernel that was compiled for the CPU execution model (kernels/simt).
inline constexpr const char* kSimtDevice = "simt";

struct KernelInfo {
  std::string name;            // as its author wrote it, of any bytes: whoever shows it escapes it
  std::string origin;          // "./mine.so:touchstone_rmsnorm", "out.h5", "optimized/lanes"
  std::string op;              // the op or chain that it computes
  std::vector<Dtype> recipes;  // those that it supports
  std::string device = "cpu";  // "cpu", "cuda", kSimtDevice; "unknown" of a file of outputs
  // Whether it can be run again, on inputs of our choice. A file of outputs cannot.
  bool runs_again = true;
};

// What an output holds before the run. Two runs with different poison tell an element that was
// never written from one that happens to equal the poison. The guard bands about a plug-in's
// tensors, and its workspace, have other bits in the two as well (guarded_arena.h).
enum class Poison {
  kNan,     // all bits set
  kFinite,  // 0x5a in every byte
};

struct RunOptions {
  Poison poison = Poison::kNan;
  int threads = 1;
};

enum class RunState {
  kDone,      // returned 0; outputs are complete
  kRefused,   // does not support these sizes or attributes: left out, and counted
  kFailed,    // returned an error, or did what a kernel must not do: `what` says it
  kCrashed,   // its process ended before it returned: a signal, or exit()
  kTimedOut,  // did not return in time and was killed
};

struct RunResult {
  RunState state = RunState::kFailed;
  std::string what = {};  // one line; with the last of what the kernel printed, where it failed
  Tensors outputs = {};   // of arguments that are out, or in and out; complete where kDone
  // What a kernel may not do, whatever its outputs: "writes 4 bytes past the end of y", "changes
  // its input x". Each is a failure.
  std::vector<std::string> breaches = {};
  double seconds = 0.0;  // in run, by the clock; on a GPU by its events
};

class Kernel {
 public:
  virtual ~Kernel() = default;
  virtual const KernelInfo& info() const = 0;
  // Runs a case on `inputs` (every argument that is in, or in and out). Never throws because of the
  // kernel. Called from one thread at a time.
  virtual RunResult Run(const Case& c, const Tensors& inputs, const RunOptions& options) = 0;
};

// There is no such kernel, or it cannot run here: no file, another ABI version, a missing symbol,
// another processor architecture, a missing feature or device. Exit code 3.
class KernelUnavailable : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

}  // namespace touchstone::lab
